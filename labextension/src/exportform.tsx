import { PathExt } from '@jupyterlab/coreutils';
import { Contents } from '@jupyterlab/services';
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';
import { Api, IExportRequest, ILook, IPackage, IProblem, lineOf } from './api';
import { Changes, Choices, Focus, ISubject, Notices, Ticks } from './exportparts';
import { BUMPS, FIELDS, LICENCES, PARTS, ROWS, USUAL } from './exportwords';
import { FormBody, TextField } from './form';
import { IPackageProps, Package } from './package';
import { Picker } from './picker';

export interface IExportOptions extends Omit<IPackageProps, 'made'> {
  api: Api;
  contents: Contents.IManager;
  subject: ISubject;
  /** Something has changed that the buttons of the dialog show. */
  onChange: () => void;
}

const PAUSE = 400;

/** The form of an export, which keeps what was filled in. */
export class ExportForm extends FormBody {
  constructor(private options: IExportOptions) {
    super();
    this.addClass('tlnb-NewForm');
    this.folder = PathExt.dirname(options.subject.path);
    this.answers = { notebook: options.subject.path, name: '', to: '', bump: 'minor', ...USUAL, reason: '', draft: false, dry_run: true };
  }

  answers: IExportRequest;
  /** What is being done; null: nothing. */
  work: string | null = null;
  made: IPackage | null = null;
  isCancelling = false;

  get isDone(): boolean {
    return !!this.made && !this.made.dry_run;
  }

  /** Is there anything to export? */
  get canStart(): boolean {
    return this.options.subject.hasRun;
  }

  /** Looks at what is there, and offers what was exported before. */
  async look(isFirst = false): Promise<string | null> {
    const asked = ++this.asked;
    const { name, to } = this.answers;
    try {
      const found = await this.options.api.look(this.answers.notebook, name.trim(), name.trim() && to.trim());
      if (asked !== this.asked || this.isDisposed) {
        return null;
      }
      this.known = found;
      if (this.adopted !== to && found.chosen) {
        this.answers = { ...this.answers, ...Object.fromEntries(Object.entries(found.chosen).filter(([key]) => !this.touched.has(key))) };
      }
      this.adopted = to;
      const mine = found.projects.find(o => o.mine);
      if (isFirst && mine && !name) {
        this.choose(mine.folder);
      }
      this.problem = found.problem;
      void this.tell();
    } catch (reason) {
      if (asked === this.asked) {
        this.problem = { message: lineOf(reason), field: 'to' };
      }
    }
    this.change();
    return this.known?.running ?? null;
  }

  /** Asks what the changelog would say, once for each project that has a release. */
  private async tell(): Promise<void> {
    const { notebook, to } = this.answers;
    const key = this.known?.released && !this.known.problem && this.canStart ? `${to.trim()} ${this.known.released}` : '';
    if (key === this.told) {
      return;
    }
    this.told = key;
    this.changes = null;
    const lines = key ? await this.options.api.news(notebook, to.trim()).then(found => found.changes, (reason: unknown) => [lineOf(reason)]) : null;
    if (key === this.told && !this.isDisposed) {
      this.changes = lines;
      this.change();
    }
  }

  /** What keeps the form from being sent. */
  check(): boolean {
    const { name, to } = this.answers;
    const problem = !name.trim()
      ? { message: 'Give the package a name, such as triage.', field: 'name' }
      : !to.trim()
        ? { message: 'Give the project a folder.', field: 'to' }
        : this.problem;
    return problem ? (this.fail(problem), false) : true;
  }

  fail(error: IProblem): void {
    this.error = { ...error, field: FIELDS.includes(error.field) ? error.field : '' };
    this.wantsReason = this.wantsReason || this.error.field === 'reason';
    this.wanted = { selector: this.error.field ? `#tlnb-export-${this.error.field}` : '#tlnb-export-error' };
    this.change();
  }

  /** What is being done is over, or has begun. */
  set(work: string | null, made: IPackage | null = null, news = ''): void {
    window.clearTimeout(this.timer); // a look and an export must not meet in the folder
    this.work = work;
    this.made = made;
    this.news = news;
    this.error = null;
    this.isCancelling = false;
    this.change();
    if (work === null && !this.isDone) {
      void this.look();
    }
  }

  change(): void {
    this.update();
    this.options.onChange();
  }

  closePicker(): boolean {
    const was = this.isPicking;
    this.isPicking = false;
    this.update();
    return was;
  }

  protected render(): JSX.Element {
    const { made, options } = this;
    const { onOpen, onCompare } = options;
    if (made && this.isDone) {
      return <Package made={made} onOpen={onOpen} onCompare={onCompare} />;
    }
    return (
      <>
        <Notices subject={options.subject} />
        <fieldset className="tlnb-Plain" disabled={this.work !== null}>
          {this.fields()}
        </fieldset>
        <p className="tlnb-Error" role="alert" id="tlnb-export-error" tabIndex={-1}>
          {this.error && !this.error.field ? this.error.message : ''}
        </p>
        <div className="tlnb-Working" role="status">
          {this.work !== null && <progress aria-label="Export" />}
          {this.work ?? this.news}
        </div>
        {made && <Package made={made} onOpen={onOpen} onCompare={onCompare} />}
        <Focus node={this.node} on={this.wanted} />
      </>
    );
  }

  private fields(): JSX.Element {
    const { answers, known } = this;
    const { contents, subject } = this.options;
    const errorOf = (field: string) => [this.error, this.problem].find(o => o?.field === field)?.message;
    const projects = known?.projects ?? [];
    const needsReason = subject.biasFailed || this.wantsReason;
    return (
      <>
        {projects.length > 0 && (
          <div className="tlnb-Field">
            <label htmlFor="tlnb-export-project">Project</label>
            <HTMLSelect
              id="tlnb-export-project"
              value={projects.find(o => o.folder === answers.to)?.folder ?? ''}
              onChange={event => this.choose(event.target.value)}
            >
              <option value="">A new package</option>
              {projects.map(o => (
                <option key={o.folder} value={o.folder}>
                  Next version of {o.name} (in {o.folder})
                </option>
              ))}
            </HTMLSelect>
          </div>
        )}
        <TextField
          id="tlnb-export-name"
          label="Name"
          help={known?.module && !known.problem ? `pip install ${answers.name.trim()}, import ${known.module}` : 'What is installed and imported, such as triage.'}
          error={errorOf('name')}
          value={answers.name}
          onChange={name => {
            const isUsual = answers.to === this.usual(answers.name);
            this.edit({ name, ...(isUsual ? { to: this.usual(name) } : {}) });
          }}
        />
        <TextField
          id="tlnb-export-to"
          label="Folder"
          help="Of the project, seen from the top of the file browser: new, empty, or that of an earlier export, which is updated."
          error={errorOf('to')}
          value={answers.to}
          onChange={to => this.edit({ to })}
          extra={
            <button
              type="button"
              className="jp-Button tlnb-Browse"
              aria-expanded={this.isPicking}
              aria-label="Browse for the folder"
              onClick={() => {
                this.isPicking = !this.isPicking;
                this.update();
              }}
            >
              Browse…
            </button>
          }
        />
        {this.isPicking && (
          <Picker
            contents={contents}
            start={this.folder}
            folders
            onPick={to => {
              this.isPicking = false;
              this.edit({ to });
            }}
            onClose={() => this.closePicker()}
          />
        )}
        <Choices
          id="tlnb-export-bump"
          legend="Version"
          error={errorOf('bump')}
          value={answers.bump}
          choices={(known?.bumps ?? Object.keys(BUMPS)).map(o => ({ value: o, text: this.versionOf(o), help: BUMPS[o] ?? '' }))}
          onChange={bump => this.edit({ bump })}
        />
        <Changes since={known?.problem ? null : (known?.released ?? null)} lines={this.changes} />
        <Choices
          id="tlnb-export-draft"
          legend="Kind"
          error={errorOf('draft')}
          value={answers.draft ? 'draft' : 'release'}
          choices={[
            { value: 'release', text: 'Release', help: `the model card must be complete${known?.git ? '; committed and tagged' : ''}` },
            { value: 'draft', text: 'Draft', help: 'the model card may have parts that nobody has written yet; marked as not for use' }
          ]}
          onChange={kind => this.edit({ draft: kind === 'draft' })}
        />
        <div className="tlnb-Field">
          <label htmlFor="tlnb-export-licence">Licence</label>
          <HTMLSelect id="tlnb-export-licence" value={answers.licence} onChange={event => this.edit({ licence: event.target.value })}>
            {[...new Set([...(known?.licences ?? []), answers.licence])].map(o => (
              <option key={o} value={o}>
                {LICENCES[o] ?? o}
              </option>
            ))}
          </HTMLSelect>
          <p className="tlnb-Error" role="alert">
            {errorOf('licence') ?? ''}
          </p>
        </div>
        <Choices
          id="tlnb-export-rows"
          legend="Truth and answer of each judged row"
          error={errorOf('rows')}
          value={answers.rows}
          choices={ROWS}
          onChange={rows => this.edit({ rows })}
        />
        <Ticks
          id="tlnb-export-without"
          legend="What goes in"
          error={errorOf('without')}
          without={answers.without}
          choices={PARTS}
          onChange={without => this.edit({ without })}
        />
        {needsReason && (
          <TextField
            id="tlnb-export-reason"
            label="Reason"
            isLong
            help="The bias check failed. Why may the model be used all the same? Model card and changelog say it."
            error={errorOf('reason')}
            value={answers.reason}
            onChange={reason => this.edit({ reason })}
          />
        )}
      </>
    );
  }

  private versionOf(bump: string): string {
    const next = this.known?.next[bump];
    const word = `${bump[0].toUpperCase()}${bump.slice(1)}`;
    const draft = this.answers.draft ? '.dev0' : '';
    return next ? `${word}: ${this.known?.released ? `${this.known.released} → ${next}` : next}${draft}` : word;
  }

  private usual(name: string): string {
    return name.trim() ? PathExt.join(this.folder, name.trim()) : '';
  }

  private choose(folder: string): void {
    const project = this.known?.projects.find(o => o.folder === folder);
    this.edit({ ...USUAL, ...(project ? { name: project.name, to: project.folder } : { name: '', to: '' }) });
    this.touched.clear();
  }

  private edit(changes: Partial<IExportRequest>): void {
    this.answers = { ...this.answers, ...changes };
    Object.keys(changes).forEach(key => this.touched.add(key));
    this.error = null;
    this.made = null;
    this.news = '';
    if ('name' in changes || 'to' in changes) {
      this.problem = null;
      this.asked++; // what is on its way speaks of something else
      window.clearTimeout(this.timer);
      this.timer = window.setTimeout(() => void this.look(), PAUSE);
    }
    this.change();
  }

  private folder: string;
  private known: ILook | null = null;
  private changes: string[] | null = null;
  private told = '';
  private adopted = '';
  private touched = new Set<string>(); // what somebody has chosen; the rest is as the last version was
  private problem: IProblem | null = null;
  private error: IProblem | null = null;
  private wanted: { selector: string } | null = null;
  private wantsReason = false;
  private news = '';
  private isPicking = false;
  private asked = 0;
  private timer = 0;
}
