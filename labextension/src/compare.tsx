import { MainAreaWidget } from '@jupyterlab/apputils';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';
import { IComparison, IJudged, IRun, IScore, lineOf } from './api';
import { Badge } from './badge';
import { transferIcon } from './icons';
import { Judged } from './judged';
import { number, shown, Table } from './table';

function Score({ score }: { score: IScore | null }): JSX.Element {
  if (!score || score.value === null) {
    return <>–</>;
  }
  return (
    <>
      {number(score.value)}
      {score.interval && (
        <span className="tlnb-Interval">
          {number(score.interval[0])} to {number(score.interval[1])}
        </span>
      )}
    </>
  );
}

function difference(a: IScore | null, b: IScore | null): string {
  if (typeof a?.value !== 'number' || typeof b?.value !== 'number') {
    return '–';
  }
  const d = b.value - a.value;
  return `${d > 0 ? '+' : d < 0 ? '−' : '±'}${Math.abs(d) < 0.0005 ? '0' : number(Math.abs(d))}`;
}

function Verdict({ run }: { run: IRun }): JSX.Element {
  return run.verdict ? <Badge state={run.verdict.state} text={run.verdict.text} /> : <>none yet</>;
}

/** The runs themselves, and what their arms came to: known at once. */
function Runs({ found, isJudged }: { found: IComparison; isJudged: boolean }): JSX.Element {
  const { a, b } = found;
  const when = (run: IRun) => new Date(run.created).toLocaleString();
  const metrics = new Set(found.arms.map(o => o.metric));
  return (
    <>
      {!found.same_data && (
        <p className="tlnb-Warning">
          <strong>Other data.</strong> The two runs were made from different data: the scores of their arms cannot be set against each other.
        </p>
      )}
      <Table
        caption="The runs"
        head={['', 'A', 'B']}
        rows={[
          ['Run', a.name, b.name],
          ['Made', when(a), when(b)],
          ['Target', shown(a.target), shown(b.target)],
          ['Headline', a.headline || '–', b.headline || '–'],
          ['Verdict', <Verdict run={a} />, <Verdict run={b} />]
        ]}
      />
      <h2>What the recipes say differently</h2>
      {found.recipe.length ? (
        <Table caption="Differences of the recipes" head={['Setting', 'A', 'B']} rows={found.recipe.map(o => [<code>{o.key}</code>, shown(o.a), shown(o.b)])} />
      ) : (
        <p>Nothing: both recipes mean the same.</p>
      )}
      <h2>Arms</h2>
      {found.arms.length ? (
        <>
          <Table
            caption="Scores of the arms"
            head={['Arm', ...(metrics.size > 1 ? ['Metric'] : []), 'A', 'B', 'B − A']}
            rows={found.arms.map(o => [
              <code>{o.arm}</code>,
              ...(metrics.size > 1 ? [o.metric] : []),
              <Score score={o.a} />,
              <Score score={o.b} />,
              difference(o.a, o.b)
            ])}
          />
          <p className="tlnb-Help">
            {metrics.size === 1 ? `Metric: ${[...metrics][0]}. ` : ''}Small figures: the interval that holds the score in 95 of 100 cases.
          </p>
        </>
      ) : (
        <p>Neither run has been judged yet.</p>
      )}
      {!isJudged && found.notes.length > 0 && (
        <>
          <h2>Notes</h2>
          <ul>
            {found.notes.map(o => (
              <li key={o}>{o}</li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

/** Two runs or packages side by side: what is known at once, and when it comes what was found on the rows that both were judged on. */
function Comparison({ found, answer }: { found: IComparison | null; answer: Promise<IJudged> }): JSX.Element {
  const [judged, setJudged] = React.useState<IJudged | null>(null);
  const [problem, setProblem] = React.useState('');
  React.useEffect(() => {
    answer.then(setJudged, reason => setProblem(lineOf(reason)));
  }, []);
  return (
    <article>
      <h1>{found ? 'Two runs compared' : 'Two packages compared'}</h1>
      <div role="status">
        {!judged && !problem && (
          <p className="tlnb-Quiet">
            <progress aria-label="Comparing" /> Comparing what both say of the judged rows…
          </p>
        )}
        {problem && (
          <p className="tlnb-Warning">
            <strong>Which is better is not known.</strong> {problem}
          </p>
        )}
      </div>
      {judged && <Judged found={judged} hasRecipe={!!found} />}
      {found && <Runs found={found} isJudged={!!judged} />}
    </article>
  );
}

/** The tab that shows two runs, or two packages, side by side. */
export function comparisonTab(a: string, b: string, found: IComparison | null, answer: Promise<IJudged>): MainAreaWidget {
  const content = ReactWidget.create(<Comparison found={found} answer={answer} />);
  content.addClass('tlnb-Comparison');
  const tab = new MainAreaWidget({ content });
  tab.id = `tlnb-compare-${a}-${b}`;
  tab.title.label = found ? 'Compare runs' : 'Compare packages';
  tab.title.caption = `${a} and ${b}`;
  tab.title.icon = transferIcon;
  tab.title.closable = true;
  return tab;
}
