import { ToolbarButton } from '@jupyterlab/apputils';
import { NotebookPanel } from '@jupyterlab/notebook';
import { LabIcon } from '@jupyterlab/ui-components';
import { exportIcon, reportIcon } from './icons';
import { isOurs } from './recipe';
import { Checklists } from './steps';

interface IButton {
  name: string;
  label: string;
  tooltip: string;
  icon: LabIcon;
  onClick: (panel: NotebookPanel) => void;
}

/** Our buttons in the toolbar of notebooks that have a recipe, and of no other. */
export function addButtons(
  panel: NotebookPanel,
  checklists: Checklists,
  onReport: (panel: NotebookPanel) => void,
  onExport: (panel: NotebookPanel) => void
): void {
  const wanted: IButton[] = [
    { name: 'tlnb-report', label: 'Run report', icon: reportIcon, tooltip: 'Open the report of this notebook’s run', onClick: onReport },
    { name: 'tlnb-export', label: 'Export as package', icon: exportIcon, tooltip: 'Make a package that pip installs, of this notebook and its run', onClick: onExport }
  ];
  let buttons: ToolbarButton[] = [];
  const update = () => {
    const isWanted = !panel.isDisposed && isOurs(panel.context.model);
    if (isWanted && !buttons.length) {
      buttons = wanted.map(({ name, label, icon, tooltip, onClick }) => {
        const button = new ToolbarButton({ label, icon, tooltip, onClick: () => onClick(panel) });
        panel.toolbar.insertBefore('spacer', name, button) || panel.toolbar.addItem(name, button);
        return button;
      });
    } else if (!isWanted && buttons.length) {
      buttons.forEach(o => o.dispose());
      buttons = [];
    }
  };
  checklists.of(panel).changed.connect(update);
  void panel.context.ready.then(update);
}
