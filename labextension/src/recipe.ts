import { ICellModel, isCodeCellModel } from '@jupyterlab/cells';
import { INotebookModel } from '@jupyterlab/notebook';

const CALL = /^(?:\w+[ \t]*=[ \t]*)*recipe[ \t]*(?::[^=\n]+)?=[ \t]*(?:\w+[ \t]*=[ \t]*)*\(?\s*(?:tlnb\.)?Recipe\.for_\w+\s*\(/gm;

/** The code cells that say `recipe = Recipe.for_...(`: once for each time. The server, which reads Python, has the last word. */
export function recipeCells(model: INotebookModel): ICellModel[] {
  return [...model.cells].flatMap(cell =>
    isCodeCellModel(cell) ? (cell.sharedModel.getSource().match(CALL) ?? []).map(() => cell) : []
  );
}

/** The template that a notebook was made from, or ''. */
export function templateOf(model: INotebookModel): string {
  const own: unknown = model.getMetadata('tlnb');
  const name = own && typeof own === 'object' ? (own as { template?: unknown }).template : null;
  return typeof name === 'string' ? name : '';
}

/** Is this a notebook of ours: made from a template, or with a recipe? */
export function isOurs(model: INotebookModel | null): model is INotebookModel {
  return !!model && (model.getMetadata('tlnb') !== undefined || recipeCells(model).length > 0);
}
