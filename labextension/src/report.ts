import { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, Notification } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { DocumentWidget } from '@jupyterlab/docregistry';
import { NotebookActions, NotebookPanel } from '@jupyterlab/notebook';
import { Api, IRun, lineOf } from './api';
import { Checklists } from './steps';
import { Templates } from './templates';

/** The folder of a notebook, from the server's root. */
export function folderOf(app: JupyterFrontEnd, panel: NotebookPanel): string {
  return PathExt.dirname(app.serviceManager.contents.localPath(panel.context.path));
}

/** Goes to a cell of a notebook. */
export function showCell(app: JupyterFrontEnd, panel: NotebookPanel, id: string): void {
  const index = panel.content.widgets.findIndex(o => o.model.id === id);
  if (index < 0) {
    return;
  }
  app.shell.activateById(panel.id);
  panel.content.deselectAll();
  panel.content.activeCellIndex = index;
  panel.content.mode = 'command';
  void panel.content.scrollToItem(index, 'smart');
  panel.content.activate();
}

/** Is `path`, relative to the server's root, the run that the kernel calls `absolute`? */
export function isRun(path: string, absolute: string): boolean {
  return `/${absolute.replace(/\\/g, '/')}`.endsWith(`/${path}`);
}

/** Opens a report in the HTML viewer; one that is open already is read again. */
export async function openReport(app: JupyterFrontEnd, path: string): Promise<void> {
  const opened: unknown = await app.commands.execute('docmanager:open', { path, factory: 'HTML Viewer' });
  if (opened instanceof DocumentWidget) {
    await opened.context.ready;
    await opened.context.revert();
  }
}

/** The report of the last run that the notebook itself names in its outputs and that has one: those of other notebooks are none of its business. */
async function reportOf(app: JupyterFrontEnd, api: Api, checklists: Checklists, panel: NotebookPanel): Promise<string | null> {
  const runs: IRun[] = await api.runs(folderOf(app, panel));
  const own = checklists.of(panel).runs().map(named => runs.find(o => isRun(o.path, named)));
  return own.find(o => o?.report)?.report ?? null;
}

/** What keeps the report from being that of the notebook as it is now; '': nothing. */
function lackOf(checklists: Checklists, templates: Templates, panel: NotebookPanel, template: string): string {
  const steps = checklists.of(panel).steps(templates.get(template)?.steps ?? []);
  const count = (...states: string[]) => steps.filter(o => o.cell && states.includes(o.state)).length;
  const [open, stale, busy] = [count('none'), count('stale'), count('running', 'waiting')];
  const say = (n: number, one: string, many: string) => (n ? [n === 1 ? `1 step ${one}` : `${n} steps ${many}`] : []);
  return [
    ...say(busy, 'is still running', 'are still running'),
    ...say(open, 'has not been run since the kernel started', 'have not been run since the kernel started'),
    ...say(stale, 'is out of date', 'are out of date')
  ].join(', ');
}

/** "Run report": opens it, or says what is missing and offers to run. */
export async function runReport(
  app: JupyterFrontEnd,
  api: Api,
  checklists: Checklists,
  templates: Templates,
  panel: NotebookPanel,
  template: string
): Promise<void> {
  let path: string | null;
  try {
    await templates.list().catch(() => null);
    path = await reportOf(app, api, checklists, panel);
  } catch (reason) {
    Notification.error(`The report cannot be found: ${lineOf(reason)}`, { autoClose: 8000 });
    return;
  }
  const lack = lackOf(checklists, templates, panel, template);
  if (path && !lack) {
    return openReport(app, path);
  }
  const runAll = Dialog.okButton({ label: 'Run all and open the report' });
  const openLast = Dialog.createButton({ label: 'Open the last report', accept: true, actions: ['open'] });
  const why = lack && `${lack[0].toUpperCase()}${lack.slice(1)}.`;
  const dialog = new Dialog({
    title: path ? 'The report is not up to date' : 'There is no report yet',
    body: path ? `${why} The last report shows an earlier state of this notebook.` : `${why || 'No run of this notebook has written one.'} Running all cells makes it.`,
    buttons: [Dialog.cancelButton(), ...(path ? [openLast] : []), runAll]
  });
  dialog.addClass('tlnb-ReportDialog');
  const { button } = await dialog.launch();
  if (button.actions.includes('open') && path) {
    return openReport(app, path);
  }
  if (button.label !== runAll.label) {
    return;
  }
  const ran = await NotebookActions.runAll(panel.content, panel.sessionContext).catch(() => false);
  if (panel.isDisposed) {
    return;
  }
  if (!ran || !panel.sessionContext.session?.kernel) {
    const failure = checklists.of(panel).failure(templates.get(template)?.steps ?? []);
    if (failure) {
      showCell(app, panel, failure.cell);
    }
    const how = failure ? `Running failed at ${[failure.where, failure.what].filter(o => o).join(': ')}` : 'Running was broken off';
    Notification.error(`${how}. No report is opened.`, { autoClose: false });
    return;
  }
  const made = await reportOf(app, api, checklists, panel).catch(() => null);
  if (made) {
    return openReport(app, made);
  }
  Notification.warning('The notebook was run, but no report was written: see its cells.', { autoClose: 8000 });
}
