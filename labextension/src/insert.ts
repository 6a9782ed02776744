import { NotebookPanel } from '@jupyterlab/notebook';
import { isOurs, recipeCells } from './recipe';

export const EXPLANATION = `from tlnb import explain

why = explain(run)  # run: what adapt returned, or tlnb.Run.load("folder")
why`;

const BIAS_OF_RUN = `from tlnb import check_bias

bias = check_bias(run)
bias`;

const BIAS_OF_ANY = `from tlnb import check_bias

bias = check_bias(
    y_true=...,  # what is true, one value per row: test["target"]
    y_pred=...,  # what your model says: model.predict(test)
    groups=...,  # the groups to compare: test[["sex", "age_group"]]
)
bias`;

export function biasCell(panel: NotebookPanel): string {
  const { model } = panel.context;
  return isOurs(model) && recipeCells(model).length ? BIAS_OF_RUN : BIAS_OF_ANY;
}

/** May nothing be written into this notebook: by its model, or because its file is not writable? */
export function isReadOnly(panel: NotebookPanel): boolean {
  const { model, contentsModel } = panel.context;
  return model.readOnly || !!panel.content.model?.readOnly || contentsModel?.writable === false;
}

/** A code cell after the active one, which becomes active; it is not run. */
export function insertBelow(panel: NotebookPanel, source: string): void {
  const { content } = panel;
  const index = content.activeCellIndex + 1;
  panel.context.model.sharedModel.insertCell(index, { cell_type: 'code', source, metadata: { trusted: true } });
  content.activeCellIndex = index;
  content.deselectAll();
  void content.scrollToItem(index, 'smart');
  panel.activate();
}
