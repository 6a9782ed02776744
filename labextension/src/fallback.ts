import { CodeCell } from '@jupyterlab/cells';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { MimeModel } from '@jupyterlab/rendermime';
import { Widget } from '@lumino/widgets';
import { Api } from './api';
import { Training } from './training';
import { RUN_MIME, runOf } from './verdicts';

const WIDGET_MIME = 'application/vnd.jupyter.widget-view+json';
const PATIENCE = 3000;
const HIDDEN = 'tlnb-mod-replaced';

/**
 * Where a widget cannot be shown (the notebook was opened without its kernel), shows the HTML that was saved beside it, and gives way
 * as soon as the live widget appears.
 */
class Fallback {
  constructor(
    private panel: NotebookPanel,
    private api: Api
  ) {
    this.observer = new MutationObserver(() => this.later(200));
    this.observer.observe(panel.node, { childList: true, subtree: true, characterData: true });
    panel.disposed.connect(() => {
      this.observer.disconnect();
      window.clearTimeout(this.timer);
    });
    this.later(200);
  }

  private later(ms: number): void {
    if (!this.timer) {
      this.timer = window.setTimeout(() => {
        this.timer = 0;
        this.look();
      }, ms);
    }
  }

  private look(): void {
    if (this.panel.isDisposed) {
      return;
    }
    for (const cell of this.panel.content.widgets) {
      if (cell instanceof CodeCell && cell.outputArea.widgets.length) {
        this.lookAt(cell);
      }
    }
  }

  private lookAt(cell: CodeCell): void {
    const { model, widgets } = cell.outputArea;
    for (let i = 0; i < Math.min(model.length, widgets.length); i++) {
      const data = model.get(i).data;
      const html = data['text/html'];
      if (!(WIDGET_MIME in data) || !html) {
        continue;
      }
      const node = widgets[i].node.querySelector<HTMLElement>('.jp-OutputArea-output:not(.tlnb-Fallback)');
      if (node) {
        if (this.isStuck(node)) {
          this.show(node, Array.isArray(html) ? html.join('') : String(html), runOf(data[RUN_MIME]));
        } else {
          this.hide(node);
        }
      }
    }
  }

  /** Does the output say that it cannot show the widget, or that it loads it, for longer than one waits? */
  private isStuck(node: HTMLElement): boolean {
    const text = (node.textContent ?? '').trim();
    if (/^Error (displaying|creating) widget/.test(text)) {
      return true;
    }
    if (!/^Loading widget/.test(text)) {
      this.since.delete(node);
      return false;
    }
    const start = this.since.get(node) ?? Date.now();
    this.since.set(node, start);
    const left = start + PATIENCE - Date.now();
    if (left > 0) {
      this.later(left + 50);
    }
    return left <= 0;
  }

  private show(node: HTMLElement, html: string, run: string): void {
    if (this.shown.has(node) || !node.parentElement) {
      return;
    }
    if (run) {
      const training = new Training(run, this.api, this.panel.content.rendermime, html);
      this.shown.set(node, training);
      node.classList.add(HIDDEN);
      Widget.attach(training, node.parentElement);
      return;
    }
    const renderer = this.panel.content.rendermime.createRenderer('text/html');
    const model: IRenderMime.IMimeModel = new MimeModel({ data: { 'text/html': html }, trusted: false });
    renderer.addClass('tlnb-Fallback');
    renderer.addClass('jp-OutputArea-output');
    this.shown.set(node, renderer);
    node.classList.add(HIDDEN);
    Widget.attach(renderer, node.parentElement);
    void renderer.renderModel(model);
  }

  private hide(node: HTMLElement): void {
    const renderer = this.shown.get(node);
    if (renderer) {
      this.shown.delete(node);
      node.classList.remove(HIDDEN);
      if (renderer.isAttached) {
        Widget.detach(renderer);
      }
      renderer.dispose();
    }
  }

  private observer: MutationObserver;
  private timer = 0;
  private since = new WeakMap<HTMLElement, number>();
  private shown = new WeakMap<HTMLElement, Widget>();
}

/** Watches every notebook. */
export function watchWidgets(tracker: INotebookTracker, api: Api): void {
  const watch = (panel: NotebookPanel) =>
    void panel.context.ready.then(() => (panel.isDisposed ? null : new Fallback(panel, api)));
  tracker.forEach(watch);
  tracker.widgetAdded.connect((_, panel) => watch(panel));
}
