import { JupyterFrontEnd } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ReactWidget } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import * as React from 'react';
import { CommandIDs } from '../commands';
import { transferIcon } from '../icons';
import { isOurs, templateOf } from '../recipe';
import { folderOf, openReport, showCell } from '../report';
import { Runs } from '../runs';
import { Checklist, Checklists, IStep } from '../steps';
import { Templates } from '../templates';
import { RunList } from './runlist';
import { StepList, STEP_STATES } from './steplist';
import { VerdictList } from './verdictlist';

/** The panel at the left: steps, verdicts and runs of the notebook in front. */
export class SidePanel extends ReactWidget {
  constructor(
    private app: JupyterFrontEnd,
    private tracker: INotebookTracker,
    private checklists: Checklists,
    private templates: Templates,
    private runs: Runs
  ) {
    super();
    this.id = 'tlnb-sidepanel';
    this.addClass('tlnb-SidePanel');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'Transfer Learning');
    this.title.icon = transferIcon;
    this.title.caption = 'Transfer Learning';
    tracker.currentChanged.connect(() => this.follow());
    runs.changed.connect(() => this.refresh());
    this.follow();
  }

  protected onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    void this.templates.list().then(
      () => this.update(),
      () => this.update()
    );
    this.runs.watch(true);
    this.update();
  }

  protected onAfterHide(msg: Message): void {
    super.onAfterHide(msg);
    this.runs.watch(false);
  }

  protected render(): JSX.Element {
    return (
      <>
        <h2 className="tlnb-Title">Transfer Learning</h2>
        {this.body()}
        <p className="tlnb-Live" role="status" aria-live="polite">
          {this.news}
        </p>
      </>
    );
  }

  private body(): JSX.Element {
    const { checklist } = this;
    if (!checklist || checklist.panel.isDisposed) {
      return this.empty('No notebook is open.', 'Make one from a template, or open one of yours.');
    }
    const { panel } = checklist;
    const model = panel.context.isReady ? panel.context.model : null;
    const steps = this.steps();
    return (
      <>
        <p className="tlnb-Notebook" title={panel.context.path}>
          {panel.title.label}
        </p>
        {model && !isOurs(model) ? (
          this.empty(
            'This notebook has no recipe.',
            'Make one from a template, or put the question to any model: insert an explanation or a bias check.',
            <>
              {this.action('Insert explanation', CommandIDs.insertExplanation)}
              {this.action('Insert bias check', CommandIDs.insertBias)}
            </>
          )
        ) : (
          <>
            <VerdictList verdicts={checklist.verdicts()} />
            {steps.length > 0 && <StepList steps={steps} onStep={cell => showCell(this.app, panel, cell)} />}
          </>
        )}
        <RunList runs={this.runs} onReport={path => void openReport(this.app, path)} />
      </>
    );
  }

  private empty(what: string, next: string, more?: JSX.Element): JSX.Element {
    return (
      <div className="tlnb-Start">
        <p>
          <strong>{what}</strong>
        </p>
        <p>{next}</p>
        <div className="tlnb-Start-buttons">
          {this.action('New from template…', CommandIDs.create, true)}
          {more}
        </div>
      </div>
    );
  }

  private action(label: string, command: string, isMain = false): JSX.Element {
    return (
      <button
        type="button"
        className={isMain ? 'jp-Button tlnb-Main' : 'jp-Button'}
        onClick={() => void this.app.commands.execute(command)}
      >
        {label}
      </button>
    );
  }

  private steps(): IStep[] {
    const panel = this.checklist?.panel;
    const template = panel && !panel.isDisposed && panel.context.isReady && this.templates.get(templateOf(panel.context.model));
    return template && this.checklist ? this.checklist.steps(template.steps) : [];
  }

  private follow(): void {
    const panel = this.tracker.currentWidget;
    this.checklist?.changed.disconnect(this.refresh, this);
    panel?.context.pathChanged.connect(this.place, this);
    this.checklist = panel ? this.checklists.of(panel) : null;
    this.checklist?.changed.connect(this.refresh, this);
    this.before.clear();
    this.news = '';
    void panel?.context.ready.then(() => this.refresh());
    this.place();
    this.refresh();
  }

  private place(): void {
    const panel = this.tracker.currentWidget;
    this.runs.setFolder(panel && !panel.isDisposed ? folderOf(this.app, panel) : null);
  }

  /** Draws again if somebody sees it, says what has changed, and looks for new runs when a step has ended. */
  private refresh(): void {
    if (!this.isVisible) {
      return;
    }
    const news: string[] = [];
    for (const step of this.steps()) {
      const before = this.before.get(step.id);
      if (before && before !== step.state && step.state !== 'waiting') {
        news.push(`${step.title}: ${STEP_STATES[step.state].word}`);
      }
      this.before.set(step.id, step.state);
    }
    if (news.length) {
      this.news = news.length > 3 ? `${news.length} steps have changed` : news.join('. ');
      void this.runs.refresh();
    }
    this.update();
  }

  private checklist: Checklist | null = null;
  private before = new Map<string, string>();
  private news = '';
}
