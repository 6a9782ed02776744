import { MainAreaWidget } from '@jupyterlab/apputils';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';
import { IComparison, IRun, IScore, Value } from './api';
import { Badge } from './badge';
import { transferIcon } from './icons';

function shown(value: Value | undefined): string {
  if (value === null || value === undefined || value === '') {
    return '–';
  }
  return Array.isArray(value) ? value.join(', ') || '–' : value === true ? 'yes' : value === false ? 'no' : String(value);
}

const number = (x: number) => (Number.isInteger(x) ? String(x) : x.toPrecision(3));

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

function Table({ caption, head, rows }: { caption: string; head: string[]; rows: React.ReactNode[][] }): JSX.Element {
  return (
    <div className="tlnb-Scroll" role="region" aria-label={caption} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {head.map((o, i) =>
              o ? (
                <th key={i} scope="col">
                  {o}
                </th>
              ) : (
                <td key={i} />
              )
            )}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={i}>
              {row.map((o, j) =>
                j === 0 ? (
                  <th key={j} scope="row">
                    {o}
                  </th>
                ) : (
                  <td key={j}>{o}</td>
                )
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Two runs side by side. */
function Comparison({ found }: { found: IComparison }): JSX.Element {
  const { a, b } = found;
  const when = (run: IRun) => new Date(run.created).toLocaleString();
  const metrics = new Set(found.arms.map(o => o.metric));
  return (
    <article>
      <h1>Two runs compared</h1>
      {!found.same_data && (
        <p className="tlnb-Warning">
          <strong>Other data.</strong> The two runs were judged on different rows: their figures cannot be set against each other.
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
      {found.notes.length > 0 && (
        <>
          <h2>Notes</h2>
          <ul>
            {found.notes.map(o => (
              <li key={o}>{o}</li>
            ))}
          </ul>
        </>
      )}
    </article>
  );
}

/** The tab that shows two runs side by side. */
export function comparisonTab(found: IComparison): MainAreaWidget {
  const content = ReactWidget.create(<Comparison found={found} />);
  content.addClass('tlnb-Comparison');
  const tab = new MainAreaWidget({ content });
  tab.id = `tlnb-compare-${found.a.path}-${found.b.path}`;
  tab.title.label = 'Compare runs';
  tab.title.caption = `${found.a.path} and ${found.b.path}`;
  tab.title.icon = transferIcon;
  tab.title.closable = true;
  return tab;
}
