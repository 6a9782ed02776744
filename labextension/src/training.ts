import { IRenderMimeRegistry, MimeModel } from '@jupyterlab/rendermime';
import { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import { Api, ITraining, lineOf } from './api';

const PAUSE = 2000;

/**
 * A training as its run folder tells it, while the kernel that trains cannot: it answers a tab that was opened anew only when the cell has ended.
 * Where the folder cannot be read, the saved HTML stays.
 */
export class Training extends Widget {
  constructor(
    private run: string,
    private api: Api,
    private rendermime: IRenderMimeRegistry,
    saved: string
  ) {
    super();
    this.addClass('tlnb-Fallback');
    this.addClass('jp-OutputArea-output');
    this.addClass('tlnb-Training');
    this.meter.max = 1;
    this.meter.setAttribute('aria-label', 'Training');
    this.button.type = 'button';
    this.button.className = 'jp-Button';
    this.button.addEventListener('click', () => void this.stop());
    this.text.setAttribute('role', 'status');
    this.head.className = 'tlnb-Training-head';
    this.head.append(this.meter, this.button, this.text);
    this.head.hidden = true;
    this.node.append(this.head, this.body);
    void this.render(saved, false);
  }

  protected onAfterAttach(_: Message): void {
    void this.look();
  }

  protected onBeforeDetach(_: Message): void {
    window.clearTimeout(this.timer);
  }

  private async look(): Promise<void> {
    let found: ITraining;
    try {
      found = await this.api.training(this.run);
    } catch {
      return; // moved, deleted or elsewhere: what was saved stays
    }
    if (this.isDisposed || !this.isAttached) {
      return;
    }
    this.head.hidden = false;
    this.meter.hidden = this.button.hidden = !found.running;
    if (found.fraction === null) {
      this.meter.removeAttribute('value');
    } else {
      this.meter.value = found.fraction;
    }
    this.button.textContent = found.stopping ? 'Stopping…' : 'Stop';
    this.button.disabled = found.stopping;
    this.text.textContent = found.text;
    if (found.html !== this.html) {
      this.html = found.html;
      await this.render(found.html, true);
    }
    if (found.running) {
      this.timer = window.setTimeout(() => void this.look(), PAUSE);
    }
  }

  private async stop(): Promise<void> {
    try {
      await this.api.stop(this.run);
      this.button.disabled = true;
      this.button.textContent = 'Stopping…';
    } catch (reason) {
      this.text.textContent = lineOf(reason);
    }
  }

  /** What a notebook has saved is sanitised; what the server makes of a run folder is escaped there, and its pictures are SVG. */
  private async render(html: string, trusted: boolean): Promise<void> {
    const open = Array.from(this.body.querySelectorAll('details')).map(o => o.open);
    const renderer = this.rendermime.createRenderer('text/html');
    await renderer.renderModel(new MimeModel({ data: { 'text/html': html }, trusted }));
    renderer.node.querySelectorAll('details').forEach((o, i) => (o.open = open[i] ?? o.open));
    this.body.replaceChildren(...Array.from(renderer.node.childNodes));
    renderer.dispose();
  }

  private head = document.createElement('div');
  private meter = document.createElement('progress');
  private button = document.createElement('button');
  private text = document.createElement('span');
  private body = document.createElement('div');
  private html = '';
  private timer = 0;
}
