import { Cell, ICellModel, ICodeCellModel, isCodeCellModel } from '@jupyterlab/cells';
import { Notebook, NotebookActions, NotebookPanel } from '@jupyterlab/notebook';
import { IObservableDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { ITemplateStep } from './api';
import { IVerdict, Kind, verdictsOf } from './verdicts';

export type StepState = 'none' | 'waiting' | 'running' | 'done' | 'attention' | 'stale';

export interface IStep extends ITemplateStep {
  state: StepState;
  /** Why, where the state alone does not say it. */
  note: string;
  /** The cell to go to; null: the notebook has none for this step. */
  cell: string | null;
}

export interface IShownVerdict extends IVerdict {
  /** Does it still hold, or has something above it changed since? */
  current: boolean;
}

/** What is known of the last time that a cell ran in the kernel of now. */
interface IRecord {
  source: string;
  /** Execution count; Infinity while it runs. */
  order: number;
  failed: boolean;
}

function hasError(cell: ICodeCellModel): boolean {
  for (let i = 0; i < cell.outputs.length; i++) {
    if (cell.outputs.get(i).type === 'error') {
      return true;
    }
  }
  return false;
}

function stepOf(cell: ICellModel): string {
  const own: unknown = cell.getMetadata('tlnb');
  const step = own && typeof own === 'object' ? (own as { step?: unknown }).step : null;
  return typeof step === 'string' ? step : '';
}

/** Of several cells of a step, the one that counts. */
const WEIGHT: StepState[] = ['done', 'none', 'stale', 'waiting', 'attention', 'running'];

/** Follows what runs in one notebook. */
export class Checklist {
  constructor(readonly panel: NotebookPanel) {
    NotebookActions.executionScheduled.connect(this.onScheduled, this);
    NotebookActions.executed.connect(this.onExecuted, this);
    panel.sessionContext.statusChanged.connect(this.onStatus, this);
    panel.sessionContext.kernelChanged.connect(this.onKernel, this);
    panel.disposed.connect(this.dispose, this);
    void panel.context.ready.then(() => {
      if (!panel.isDisposed) {
        panel.context.model.contentChanged.connect(this.touch, this);
        panel.context.model.metadataChanged.connect(this.touch, this);
        void this.restore();
      }
    });
  }

  /** Something has changed: told at most five times a second. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The steps of a template, each with its state. */
  steps(template: ITemplateStep[]): IStep[] {
    const states = this.states();
    return template.map(step => {
      const cells = this.cells().filter(cell => stepOf(cell) === step.id);
      let found: { state: StepState; note: string } = { state: 'none', note: '' };
      let id: string | null = cells[0]?.id ?? null;
      cells.forEach((cell, i) => {
        const own = states.get(cell.id);
        if (own && (i === 0 || WEIGHT.indexOf(own.state) > WEIGHT.indexOf(found.state))) {
          found = own;
          id = cell.id;
        }
      });
      return { ...step, ...found, cell: id };
    });
  }

  /** The last verdict of each kind. */
  verdicts(): Map<Kind, IShownVerdict> {
    const states = this.states();
    const found = new Map<Kind, IShownVerdict>();
    for (const cell of this.cells()) {
      const state = states.get(cell.id)?.state;
      for (const o of verdictsOf(cell)) {
        found.set(o.kind, { ...o, current: state === 'done' || state === 'attention' });
      }
    }
    return found;
  }

  /** The run that the newest verdict speaks of. */
  lastRun(): string | null {
    let last: string | null = null;
    for (const cell of this.cells()) {
      for (const o of verdictsOf(cell)) {
        last = o.run ?? last;
      }
    }
    return last;
  }

  dispose(): void {
    window.clearTimeout(this.timer);
    Signal.clearData(this);
  }

  private cells(): ICodeCellModel[] {
    const model = this.panel.context.model;
    return this.panel.isDisposed || !model?.cells ? [] : [...model.cells].filter(isCodeCellModel);
  }

  /** The state of each code cell, from the top: what was changed or run again above puts what is below out of date. */
  private states(): Map<string, { state: StepState; note: string }> {
    const found = new Map<string, { state: StepState; note: string }>();
    let newest = -1;
    let edited = false;
    let running = false;
    for (const cell of this.cells()) {
      const record = this.records.get(cell.id);
      if (!record) {
        found.set(cell.id, { state: 'none', note: '' });
        continue;
      }
      if (record.order === Infinity) {
        found.set(cell.id, running ? { state: 'waiting', note: '' } : { state: 'running', note: '' });
        running = true;
        continue;
      }
      const changed = cell.sharedModel.getSource() !== record.source;
      if (record.failed) {
        found.set(cell.id, { state: 'attention', note: 'failed' });
      } else if (changed) {
        found.set(cell.id, { state: 'stale', note: 'changed since' });
      } else if (edited) {
        found.set(cell.id, { state: 'stale', note: 'changed above' });
      } else if (newest > record.order) {
        found.set(cell.id, { state: 'stale', note: 'ran again above' });
      } else {
        const worst = verdictsOf(cell).find(o => o.state === 'bad' || o.state === 'open');
        found.set(cell.id, worst ? { state: 'attention', note: worst.text } : { state: 'done', note: '' });
      }
      edited = edited || changed;
      newest = Math.max(newest, record.order);
    }
    return found;
  }

  private onScheduled(_: unknown, args: { notebook: Notebook; cell: Cell }): void {
    if (args.notebook === this.panel.content && isCodeCellModel(args.cell.model)) {
      const { id, sharedModel } = args.cell.model;
      this.records.set(id, { source: sharedModel.getSource(), order: Infinity, failed: false });
      this.touch();
    }
  }

  private onExecuted(_: unknown, args: { notebook: Notebook; cell: Cell; success: boolean }): void {
    const cell = args.cell.model;
    if (args.notebook !== this.panel.content || !cell || !isCodeCellModel(cell)) {
      return;
    }
    const record = this.records.get(cell.id);
    if (record?.order === Infinity) {
      if (cell.executionCount === null) {
        this.records.delete(cell.id); // empty, or given up because a cell above failed
      } else {
        this.records.set(cell.id, { ...record, order: cell.executionCount, failed: !args.success });
      }
    }
    this.touch();
  }

  private onStatus(_: unknown, status: string): void {
    if (['restarting', 'autorestarting', 'terminating', 'dead'].includes(status)) {
      this.records.clear();
    }
    this.touch();
  }

  private onKernel(): void {
    this.records.clear();
    this.touch();
    void this.restore();
  }

  /** After a notebook was opened: which of its cells ran in this kernel, as far as its counter tells. */
  private async restore(): Promise<void> {
    const { sessionContext } = this.panel;
    await sessionContext.ready;
    const kernel = sessionContext.session?.kernel;
    if (this.panel.isDisposed || !kernel) {
      return;
    }
    if (kernel.status === 'busy') {
      this.adopt(Infinity); // it answers when it is free again; what the file says counts until then
    }
    const future = kernel.requestExecute({ code: '', silent: true, store_history: false, allow_stdin: false });
    const reply = await future.done.catch(() => null);
    if (reply && !this.panel.isDisposed && sessionContext.session?.kernel === kernel) {
      this.adopt(reply.content.execution_count ?? 0);
    }
  }

  private adopt(counter: number): void {
    for (const cell of this.cells()) {
      const count = cell.executionCount;
      const record = this.records.get(cell.id);
      if (!record && count !== null && count <= counter) {
        this.records.set(cell.id, { source: cell.sharedModel.getSource(), order: count, failed: hasError(cell) });
      } else if (record && record.order !== Infinity && record.order > counter) {
        this.records.delete(cell.id);
      }
    }
    this.touch();
  }

  private touch(): void {
    if (!this.timer) {
      this.timer = window.setTimeout(() => {
        this.timer = 0;
        this._changed.emit();
      }, 200);
    }
  }

  private records = new Map<string, IRecord>();
  private timer = 0;
  private _changed = new Signal<this, void>(this);
}

/** The checklists of the notebooks that are open. */
export class Checklists {
  of(panel: NotebookPanel): Checklist {
    let found = this.known.get(panel);
    if (!found) {
      found = new Checklist(panel);
      this.known.set(panel, found);
    }
    return found;
  }

  private known = new WeakMap<IObservableDisposable, Checklist>();
}
