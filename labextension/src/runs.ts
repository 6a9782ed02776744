import { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { ISignal, Signal } from '@lumino/signaling';
import { Api, IComparison, IRun, lineOf } from './api';

const PAUSE = 5000;

/** Two runs or packages side by side in a tab of their own; one that is open is made anew. */
export async function compareTab(app: JupyterFrontEnd, api: Api, a: string, b: string, found: IComparison | null): Promise<void> {
  const { comparisonTab } = await import('./compare');
  const tab = comparisonTab(a, b, found, api.judged(a, b));
  const { shell } = app;
  [...shell.widgets('main')].find(o => o.id === tab.id)?.dispose();
  shell.add(tab, 'main');
  shell.activateById(tab.id);
}

/** The runs of one folder at a time, and what can be done with them. */
export class Runs {
  constructor(
    private app: JupyterFrontEnd,
    private api: Api
  ) {}

  /** null: not known yet. */
  list: IRun[] | null = null;
  problem = '';
  chosen = new Set<string>();

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Is another folder's list wanted? */
  setFolder(folder: string | null): void {
    if (folder !== this.folder) {
      this.folder = folder;
      this.list = null;
      this.problem = '';
      this.chosen.clear();
      this._changed.emit();
      void this.refresh();
    }
  }

  /** Reads the list; while a run goes on, again and again. */
  async refresh(): Promise<void> {
    const folder = this.folder;
    window.clearTimeout(this.timer);
    if (folder === null) {
      return;
    }
    try {
      const list = await this.api.runs(folder);
      if (folder !== this.folder) {
        return;
      }
      this.list = list;
      this.problem = '';
      for (const path of this.chosen) {
        if (!list.some(o => o.path === path)) {
          this.chosen.delete(path);
        }
      }
    } catch (reason) {
      this.problem = lineOf(reason);
      this.list = this.list ?? [];
    }
    window.clearTimeout(this.timer);
    if (this.isWatched && this.list.some(o => o.state === 'running')) {
      this.timer = window.setTimeout(() => void this.refresh(), PAUSE);
    }
    this._changed.emit();
  }

  /** Looks again while somebody sees the list. */
  watch(isWatched: boolean): void {
    this.isWatched = isWatched;
    if (isWatched) {
      void this.refresh();
    } else {
      window.clearTimeout(this.timer);
    }
  }

  /** Chooses a run for the comparison, or not; the third takes the place of the first. */
  choose(path: string): void {
    if (!this.chosen.delete(path)) {
      this.chosen.add(path);
      if (this.chosen.size > 2) {
        this.chosen.delete([...this.chosen][0]);
      }
    }
    this._changed.emit();
  }

  /** The older one first. */
  async compare(): Promise<void> {
    const [b, a] = (this.list ?? []).filter(o => this.chosen.has(o.path));
    if (!a || !b) {
      return;
    }
    try {
      await compareTab(this.app, this.api, a.path, b.path, await this.api.compare(a.path, b.path));
    } catch (reason) {
      Notification.error(`The runs cannot be compared: ${lineOf(reason)}`, { autoClose: 8000 });
    }
  }

  async remove(run: IRun): Promise<void> {
    const { button } = await showDialog({
      title: 'Delete this run?',
      body: `${run.path} is deleted from the disk with its models, figures and report. This cannot be undone.`,
      buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: 'Delete' })],
      defaultButton: 0
    });
    if (!button.accept) {
      return;
    }
    try {
      await this.api.deleteRun(run.path);
    } catch (reason) {
      Notification.error(`The run was not deleted: ${lineOf(reason)}`, { autoClose: 8000 });
    }
    await this.refresh();
  }

  private folder: string | null = null;
  private isWatched = false;
  private timer = 0;
  private _changed = new Signal<this, void>(this);
}
