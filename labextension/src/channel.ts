import { CodeCell, ICodeCellModel } from '@jupyterlab/cells';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { Api, lineOf, Value, Values } from './api';
import { isReadOnly } from './insert';
import { recipeCells } from './recipe';

/** What a panel of the kernel may ask for, by a DOM event on its own element. */
const EVENTS = ['tlnb-edit', 'tlnb-insert', 'tlnb-stop'] as const;
type EventName = (typeof EVENTS)[number];

const LONGEST = 100_000;

/** A request that is not fulfilled; the message is the one line that the panel shows. */
class Refusal extends Error {}

function isPlain(o: unknown): o is Exclude<Value, null> {
  const one = (v: unknown) => (typeof v === 'string' && v.length < LONGEST) || typeof v === 'boolean' || Number.isFinite(v);
  return one(o) || (Array.isArray(o) && o.length < 1000 && o.every(one));
}

function isChanges(o: unknown): o is Values {
  if (!o || typeof o !== 'object' || Array.isArray(o)) {
    return false;
  }
  const entries = Object.entries(o);
  return (
    entries.length > 0 && entries.length <= 100 && entries.every(([k, v]) => /^[a-z]+\.[a-z_]+$/.test(k) && (v === null || isPlain(v)))
  );
}

function field(detail: unknown, name: string): unknown {
  return detail && typeof detail === 'object' ? (detail as Record<string, unknown>)[name] : undefined;
}

function text(detail: unknown, name: string): string {
  const value = field(detail, name);
  if (typeof value !== 'string' || !value || value.length > LONGEST) {
    throw new Refusal('The request of the panel is malformed.');
  }
  return value;
}

/** What is typed just before or after does not become one step with the panel's change. */
function ownUndoStep(shared: object): void {
  (shared as { undoManager?: { stopCapturing(): void } | null }).undoManager?.stopCapturing();
}

/** A notebook that may be edited, and the cell of it that shows the panel. */
interface IPlace {
  panel: NotebookPanel;
  index: number;
}

/** Listens to the panels, and edits the notebook that a panel is in. It runs nothing. */
export class Channel {
  constructor(
    private tracker: INotebookTracker,
    private api: Api
  ) {
    EVENTS.forEach(name => document.addEventListener(name, this));
  }

  dispose(): void {
    EVENTS.forEach(name => document.removeEventListener(name, this));
  }

  handleEvent(event: Event): void {
    const target = event.target;
    if (!(event instanceof CustomEvent) || !(target instanceof Element)) {
      return;
    }
    event.preventDefault();
    const detail: unknown = event.detail;
    const id = field(detail, 'id');
    const answer = (ok: boolean, message: string) =>
      target.dispatchEvent(
        new CustomEvent('tlnb-answer', { bubbles: false, detail: { id: typeof id === 'string' ? id : '', ok, message } })
      );
    this.fulfil(event.type as EventName, detail, target).then(
      message => answer(true, message),
      (reason: unknown) => answer(false, lineOf(reason))
    );
  }

  private async fulfil(name: EventName, detail: unknown, target: Element): Promise<string> {
    text(detail, 'id');
    switch (name) {
      case 'tlnb-edit': {
        const changes = field(detail, 'changes');
        if (!isChanges(changes)) {
          throw new Refusal('The request of the panel is malformed.');
        }
        return this.edit(this.place(target), changes);
      }
      case 'tlnb-insert':
        return this.insert(this.place(target), text(detail, 'source'));
      case 'tlnb-stop': {
        const run = text(detail, 'run');
        this.find(target);
        await this.api.stop(run);
        return 'Stopping.';
      }
    }
  }

  /** The notebook and the cell that the panel is an output of. */
  private find(target: Element): IPlace {
    const panel = this.tracker.find(p => p.node.contains(target));
    const index = panel ? panel.content.widgets.findIndex(c => c instanceof CodeCell && c.outputArea.node.contains(target)) : -1;
    if (!panel || index < 0) {
      throw new Refusal('This panel is not in a cell of its notebook: use the one under the cell that made it.');
    }
    return { panel, index };
  }

  private place(target: Element): IPlace {
    const place = this.find(target);
    if (isReadOnly(place.panel)) {
      throw new Refusal('This notebook is read-only.');
    }
    return place;
  }

  private recipe(panel: NotebookPanel): ICodeCellModel {
    const found = recipeCells(panel.context.model);
    if (found.length !== 1) {
      throw new Refusal(
        found.length
          ? 'More than one recipe in this notebook: only one cell may say recipe = Recipe.for_…'
          : 'No recipe cell in this notebook: one cell must say recipe = Recipe.for_tabular(…)'
      );
    }
    const cell = found[0] as ICodeCellModel;
    if (cell.getMetadata('editable') === false) {
      throw new Refusal('The recipe cell is read-only.');
    }
    return cell;
  }

  private async edit({ panel }: IPlace, changes: Values): Promise<string> {
    const cell = this.recipe(panel);
    const before = cell.sharedModel.getSource();
    const after = (await this.api.edit(before, changes)).source;
    if (typeof after !== 'string') {
      throw new Refusal('The server gave no answer that could be used.');
    }
    if (panel.isDisposed || cell.isDisposed || ![...panel.context.model.cells].includes(cell)) {
      throw new Refusal('The recipe cell is gone.');
    }
    if (cell.sharedModel.getSource() !== before) {
      throw new Refusal('The recipe cell has changed in the meantime: try again.');
    }
    if (after === before) {
      return 'The notebook says so already.';
    }
    ownUndoStep(cell.sharedModel);
    cell.sharedModel.transact(() => cell.sharedModel.setSource(after));
    ownUndoStep(cell.sharedModel);
    return 'Written to the recipe cell.';
  }

  private async insert({ panel, index }: IPlace, source: string): Promise<string> {
    const { sharedModel } = panel.context.model;
    ownUndoStep(sharedModel);
    sharedModel.insertCell(index + 1, { cell_type: 'code', source, metadata: { trusted: true } });
    return 'Inserted below.';
  }
}
