import { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, Notification } from '@jupyterlab/apputils';
import { NotebookPanel } from '@jupyterlab/notebook';
import { Api, IJob, lineOf } from './api';
import { ExportForm, IExportOptions } from './exportform';
import { FormDialog } from './form';
import { folderOf, isRun } from './report';
import { compareTab } from './runs';
import { Checklists } from './steps';

const PAUSE = 500;

/** "Export as package": the form, a trial of it, the work with its progress, and what it made. */
class ExportDialog extends FormDialog<void, ExportForm> {
  constructor(private options: Omit<IExportOptions, 'onChange'> & { save: () => Promise<void> }) {
    const form = new ExportForm({ ...options, onChange: () => this.show_() });
    super(form, {
      title: 'Export as package',
      buttons: [Dialog.cancelButton(), Dialog.createButton({ label: 'Dry run', accept: false, caption: 'Do and check everything, and write nothing' }), Dialog.okButton({ label: 'Export' })],
      defaultButton: 1,
      focusNodeSelector: '#tlnb-export-name'
    });
    this.addClass('tlnb-ExportDialog');
    void form.look(true).then(running => (running ? this.follow(running) : undefined));
  }

  resolve(index?: number): void {
    const chosen = index ?? 1;
    if (chosen === 0 || this.form.isDone) {
      this.reject();
    } else if (this.form.work === null && this.form.canStart) {
      void this.start(chosen === 1);
    }
  }

  /** Closes the dialog; what is at work is cancelled first. */
  reject(): void {
    if (this.form.work === null) {
      super.reject();
    } else {
      void this.cancel();
    }
  }

  private async start(isDry: boolean): Promise<void> {
    if (!this.form.check()) {
      return;
    }
    this.form.set('Starting…');
    const { answers } = this.form;
    try {
      if (this.options.subject.isDirty) {
        await this.options.save();
        this.options.subject.isDirty = false;
      }
      const { id } = await this.options.api.startExport({ ...answers, name: answers.name.trim(), to: answers.to.trim(), reason: answers.reason.trim(), dry_run: isDry });
      await this.follow(id);
    } catch (reason) {
      this.form.set(null);
      this.form.fail({ message: lineOf(reason), field: '' });
    }
  }

  /** Tells how far the work is until it has ended. */
  private async follow(id: string): Promise<void> {
    this.job = id;
    this.form.set(this.form.work ?? 'At work…');
    for (;;) {
      let job: IJob;
      try {
        job = await this.options.api.job(id);
      } catch (reason) {
        this.form.set(null);
        this.form.fail({ message: lineOf(reason), field: '' });
        return;
      }
      if (this.isDisposed) {
        return;
      }
      if (job.state === 'running' || job.state === 'cancelling') {
        this.form.work = job.state === 'cancelling' ? 'Cancelling…' : job.text ? `${job.text[0].toUpperCase()}${job.text.slice(1)}…` : 'Starting…';
        this.form.change();
        await new Promise(done => window.setTimeout(done, PAUSE));
        continue;
      }
      this.form.set(null, job.result, job.state === 'cancelled' ? 'Cancelled: nothing was written.' : '');
      if (job.state === 'failed' && job.error) {
        this.form.fail(job.error);
      }
      return;
    }
  }

  private async cancel(): Promise<void> {
    if (!this.form.isCancelling && this.job) {
      this.form.isCancelling = true;
      this.form.change();
      await this.options.api.cancelExport(this.job).catch(() => undefined); // it has ended: the next look says how
    }
  }

  /** The buttons say what can be done now. */
  private show_(): void {
    const { form } = this;
    const [stop, dry, go] = this.node.querySelectorAll<HTMLButtonElement>('.jp-Dialog-footer button');
    if (!go) {
      return;
    }
    const isBusy = form.work !== null;
    const label = stop.querySelector('.jp-Dialog-buttonLabel') ?? stop;
    label.textContent = isBusy ? 'Cancel the export' : form.isDone ? 'Close' : 'Cancel';
    stop.setAttribute('aria-label', label.textContent);
    stop.disabled = isBusy && form.isCancelling;
    [dry, go].forEach(o => {
      o.hidden = form.isDone;
      o.disabled = isBusy || !form.canStart;
    });
    if (isBusy && !this.node.contains(document.activeElement)) {
      stop.focus();
    }
  }

  private job = '';
}

/** Opens the dialog for a notebook. */
export async function exportAsPackage(app: JupyterFrontEnd, api: Api, checklists: Checklists, panel: NotebookPanel): Promise<void> {
  const { context } = panel;
  await context.ready;
  const checklist = checklists.of(panel);
  const runs = await api.runs(folderOf(app, panel)).catch((reason: unknown) => {
    Notification.error(`The runs of this notebook cannot be read: ${lineOf(reason)}`, { autoClose: 8000 });
    return null;
  });
  if (!runs) {
    return;
  }
  const own = checklist.runs().map(named => runs.find(o => isRun(o.path, named)));
  const dialog: ExportDialog = new ExportDialog({
    api,
    contents: app.serviceManager.contents,
    subject: {
      path: app.serviceManager.contents.localPath(context.path),
      isDirty: context.model.dirty,
      hasRun: runs.length > 0 || checklist.runs().length > 0,
      isStopped: own.find(o => o)?.state === 'stopped',
      biasFailed: checklist.verdicts().get('bias')?.state === 'bad'
    },
    save: () => context.save(),
    onOpen: (path, how) => {
      dialog.reject();
      const [command, args] =
        how === 'folder' ? ['filebrowser:go-to-path', { path }] : ['docmanager:open', { path, factory: how === 'card' ? 'Markdown Preview' : 'Editor' }];
      void app.commands.execute(command as string, args as { path: string });
    },
    onCompare: (a, b) => {
      dialog.reject();
      void compareTab(app, api, a, b, null);
    }
  });
  await dialog.launch();
}
