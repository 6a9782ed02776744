import { ToolbarButton } from '@jupyterlab/apputils';
import { NotebookPanel } from '@jupyterlab/notebook';
import { reportIcon } from './icons';
import { isOurs } from './recipe';
import { Checklists } from './steps';

const NAME = 'tlnb-report';

/** "Run report" in the toolbar of notebooks that have a recipe, and of no other. */
export function addReportButton(panel: NotebookPanel, checklists: Checklists, onClick: (panel: NotebookPanel) => void): void {
  let button: ToolbarButton | null = null;
  const update = () => {
    const wanted = !panel.isDisposed && isOurs(panel.context.model);
    if (wanted && !button) {
      button = new ToolbarButton({
        label: 'Run report',
        icon: reportIcon,
        tooltip: 'Open the report of this notebook’s run',
        onClick: () => onClick(panel)
      });
      panel.toolbar.insertBefore('spacer', NAME, button) || panel.toolbar.addItem(NAME, button);
    } else if (!wanted && button) {
      button.dispose();
      button = null;
    }
  };
  checklists.of(panel).changed.connect(update);
  void panel.context.ready.then(update);
}
