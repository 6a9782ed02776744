import { Cell, ICellModel, ICodeCellModel, isCodeCellModel } from '@jupyterlab/cells';
import { isError } from '@jupyterlab/nbformat';
import { Notebook, NotebookActions, NotebookPanel } from '@jupyterlab/notebook';
import { IObservableDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { ITemplateStep } from './api';
import { hashOf, IRan, Memory, Ran } from './ran';
import { IVerdict, Kind, runsOf, verdictsOf } from './verdicts';

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

/** The error in the outputs of a cell, in a line; null: there is none. */
function errorOf(cell: ICodeCellModel): string | null {
  for (let i = 0; i < cell.outputs.length; i++) {
    const o = cell.outputs.get(i).toJSON();
    if (isError(o)) {
      return `${o.ename}: ${o.evalue}`.split('\n')[0].slice(0, 200);
    }
  }
  return null;
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
  constructor(
    readonly panel: NotebookPanel,
    private memory: Memory
  ) {
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
    const steps = template.map((step): IStep => {
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
    if (!steps.some(o => o.state === 'running')) {
      const next = steps.find(o => o.state === 'waiting');
      if (next) {
        next.state = 'running'; // what runs is a cell before it that is no step of its own, such as its imports
      }
    }
    return steps;
  }

  /** The first cell that failed, and its step; null: none did. */
  failure(template: ITemplateStep[]): { cell: string; where: string; what: string } | null {
    const cell = this.cells().find(o => this.records.get(o.id)?.failed);
    if (!cell) {
      return null;
    }
    const step = template.find(o => o.id === stepOf(cell));
    return { cell: cell.id, where: step ? `“${step.title}”` : `cell [${cell.executionCount ?? ' '}]`, what: errorOf(cell) ?? '' };
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

  /** The runs that the notebook itself names in its outputs, the last first. */
  runs(): string[] {
    return this.cells().flatMap(runsOf).reverse();
  }

  dispose(): void {
    window.clearTimeout(this.timer);
    this.remember();
    Signal.clearData(this);
  }

  private cells(): ICodeCellModel[] {
    const model = this.panel.context.model;
    return this.panel.isDisposed || !model?.cells ? [] : [...model.cells].filter(isCodeCellModel);
  }

  /** The state of each code cell, from the top: what was changed or run again above puts what is below out of date. */
  private states(): Map<string, { state: StepState; note: string }> {
    const found = new Map<string, { state: StepState; note: string }>();
    const present = new Set(this.cells().map(o => o.id));
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
      const changed = hashOf(cell.sharedModel.getSource()) !== record.hash;
      if (record.failed) {
        found.set(cell.id, { state: 'attention', note: 'failed' });
      } else if (changed) {
        found.set(cell.id, { state: 'stale', note: 'changed since' });
      } else if (edited) {
        found.set(cell.id, { state: 'stale', note: 'changed above' });
      } else if (record.lost.some(o => !present.has(o))) {
        found.set(cell.id, { state: 'stale', note: 'deleted above' });
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
      this.records.set(id, { hash: hashOf(sharedModel.getSource()), order: Infinity, failed: false, lost: [] });
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
      this.before = {};
    }
    this.touch();
  }

  private onKernel(): void {
    this.kernel = ''; // the one that is left may go on elsewhere: what ran in it stays remembered
    this.records.clear();
    this.before = {};
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
    const before = await this.memory.load(kernel.id);
    if (this.panel.isDisposed || sessionContext.session?.kernel !== kernel) {
      return;
    }
    this.before = before;
    this.kernel = kernel.id;
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
        const before = this.before[cell.id];
        const fresh = { hash: hashOf(cell.sharedModel.getSource()), order: count, failed: errorOf(cell) !== null, lost: [] };
        this.records.set(cell.id, before?.order === count ? before : fresh);
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
        this.miss();
        this.remember();
        this._changed.emit();
      }, 200);
    }
  }

  /** What stands below a cell that ran and is deleted now has lost something. */
  private miss(): void {
    const ids = this.cells().map(o => o.id);
    this.ids.forEach((id, i) => {
      if (this.records.has(id) && !ids.includes(id)) {
        for (const below of this.ids.slice(i + 1)) {
          const record = this.records.get(below);
          if (record && !record.lost.includes(id)) {
            this.records.set(below, { ...record, lost: [...record.lost, id] });
          }
        }
      }
    });
    this.ids = ids;
  }

  /** Keeps what ran in the kernel for the next time that the notebook is opened. */
  private remember(): void {
    if (!this.kernel) {
      return;
    }
    const done = [...this.records].filter(([, o]) => o.order !== Infinity);
    const ran: Ran = { ...this.before, ...Object.fromEntries(done) };
    const text = JSON.stringify(ran);
    if (text !== this.saved) {
      this.saved = text;
      this.memory.save(this.kernel, ran);
    }
  }

  private records = new Map<string, IRan>();
  /** What was remembered of this kernel when the notebook was opened. */
  private before: Ran = {};
  private kernel = '';
  private saved = '{}';
  /** The code cells as they last stood. */
  private ids: string[] = [];
  private timer = 0;
  private _changed = new Signal<this, void>(this);
}

/** The checklists of the notebooks that are open. */
export class Checklists {
  constructor(private memory: Memory) {}

  of(panel: NotebookPanel): Checklist {
    let found = this.known.get(panel);
    if (!found) {
      found = new Checklist(panel, this.memory);
      this.known.set(panel, found);
    }
    return found;
  }

  private known = new WeakMap<IObservableDisposable, Checklist>();
}
