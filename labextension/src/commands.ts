import { JupyterFrontEnd } from '@jupyterlab/application';
import { ICommandPalette, Notification } from '@jupyterlab/apputils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { Api } from './api';
import { exportIcon, reportIcon, transferIcon } from './icons';
import { biasCell, EXPLANATION, insertBelow, isReadOnly } from './insert';
import { isOurs, templateOf } from './recipe';
import { runReport } from './report';
import { Checklists } from './steps';
import { Templates } from './templates';

export namespace CommandIDs {
  export const create = 'tlnb:new-from-template';
  export const showPanel = 'tlnb:show-panel';
  export const insertExplanation = 'tlnb:insert-explanation-cell';
  export const insertBias = 'tlnb:insert-bias-check-cell';
  export const report = 'tlnb:run-report';
  export const exportPackage = 'tlnb:export-package';
}

const CATEGORY = 'Transfer Learning';

export interface IParts {
  app: JupyterFrontEnd;
  api: Api;
  tracker: INotebookTracker;
  templates: Templates;
  checklists: Checklists;
  browser: IDefaultFileBrowser | null;
  settings: () => Promise<ISettingRegistry.ISettings | null>;
}

/** Reads the report's notebook. */
export function reportFor({ app, api, checklists, templates }: IParts, panel: NotebookPanel): Promise<void> {
  return runReport(app, api, checklists, templates, panel, templateOf(panel.context.model));
}

/** Opens the dialog that makes a package of a notebook and its run. */
export async function exportFor({ app, api, checklists }: IParts, panel: NotebookPanel): Promise<void> {
  const { exportAsPackage } = await import('./export');
  return exportAsPackage(app, api, checklists, panel);
}

export function addCommands(parts: IParts, palette: ICommandPalette | null): void {
  const { app, api, tracker, templates, browser } = parts;
  const { commands } = app;
  const textOf = (o: unknown) => (typeof o === 'string' ? o : '');
  const isOpen = () => !!tracker.currentWidget && tracker.currentWidget === app.shell.currentWidget;
  const insert = (source: (panel: NotebookPanel) => string) => {
    const panel = tracker.currentWidget;
    if (!panel || !isOpen()) {
      return;
    }
    if (isReadOnly(panel)) {
      Notification.warning('No cell was inserted: this notebook is read-only.', { autoClose: 5000 });
    } else {
      insertBelow(panel, source(panel));
    }
  };

  commands.addCommand(CommandIDs.create, {
    label: args => (args.isLauncher ? templates.get(textOf(args.template))?.title ?? 'New from template…' : 'New from Template…'),
    caption: args => (args.isLauncher ? `New notebook: ${templates.get(textOf(args.template))?.title ?? ''}` : 'Make a notebook for transfer learning'),
    icon: args => (args.isPalette ? undefined : templates.icon(textOf(args.template))),
    execute: async args => {
      const { createFromTemplate } = await import('./create');
      const folder = textOf(args.cwd) || browser?.model.path || '';
      return createFromTemplate(app, api, templates, await parts.settings(), {
        template: textOf(args.template),
        folder: app.serviceManager.contents.localPath(folder)
      });
    }
  });
  commands.addCommand(CommandIDs.showPanel, {
    label: 'Show Transfer Learning Panel',
    icon: args => (args.isPalette ? undefined : transferIcon),
    execute: () => app.shell.activateById('tlnb-sidepanel')
  });
  commands.addCommand(CommandIDs.insertExplanation, {
    label: 'Insert Explanation Cell',
    isEnabled: isOpen,
    execute: () => insert(() => EXPLANATION)
  });
  commands.addCommand(CommandIDs.insertBias, {
    label: 'Insert Bias-Check Cell',
    isEnabled: isOpen,
    execute: () => insert(biasCell)
  });
  commands.addCommand(CommandIDs.report, {
    label: 'Run Report',
    icon: args => (args.isPalette ? undefined : reportIcon),
    isEnabled: () => isOpen() && isOurs(tracker.currentWidget?.context.model ?? null),
    execute: () => (tracker.currentWidget ? reportFor(parts, tracker.currentWidget) : undefined)
  });
  commands.addCommand(CommandIDs.exportPackage, {
    label: 'Export as Package…',
    icon: args => (args.isPalette ? undefined : exportIcon),
    isEnabled: () => isOpen() && isOurs(tracker.currentWidget?.context.model ?? null),
    execute: () => (tracker.currentWidget ? exportFor(parts, tracker.currentWidget) : undefined)
  });
  [tracker.currentChanged, app.shell.currentChanged].forEach(signal =>
    signal?.connect(() => Object.values(CommandIDs).forEach(o => commands.notifyCommandChanged(o)))
  );
  if (palette) {
    Object.values(CommandIDs).forEach(command => palette.addItem({ command, category: CATEGORY, args: { isPalette: true } }));
  }
}
