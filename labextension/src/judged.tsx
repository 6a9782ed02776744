import * as React from 'react';
import { IJudged, VerdictState } from './api';
import { Badge } from './badge';
import { number, shown, Table } from './table';

const STATES: Record<string, VerdictState> = { better: 'good', worse: 'bad', 'no difference': 'open', smaller: 'good', larger: 'bad' };
const SHOWN = 50;
const SIZES: Record<string, string> = { parameters: 'Parameters', bytes: 'Size of the model in bytes', seconds: 'Training seconds of a seed' };

const count = (n: number) => n.toLocaleString();

function Mark({ word }: { word: string | null }): JSX.Element {
  return <Badge state={STATES[word ?? ''] ?? 'none'} text={word ?? 'not comparable'} />;
}

function Value({ value, interval }: { value: number | null; interval: [number, number] | null }): JSX.Element {
  return (
    <>
      {value === null ? '–' : number(value)}
      {interval && (
        <span className="tlnb-Interval">
          {number(interval[0])} to {number(interval[1])}
        </span>
      )}
    </>
  );
}

const signed = (x: number) => `${x > 0 ? '+' : x < 0 ? '−' : '±'}${number(Math.abs(x))}`;

function Gain({ gain, interval }: { gain: number | null; interval: [number, number] | null }): JSX.Element {
  return (
    <>
      {gain === null ? '–' : signed(gain)}
      {interval && (
        <span className="tlnb-Interval">
          {signed(interval[0])} to {signed(interval[1])}
        </span>
      )}
    </>
  );
}

function rowsOf({ rows, same_data, a, b }: IJudged): string {
  const data = same_data ? 'Both were made from the same data' : 'They were made from different data';
  if (rows.common === null) {
    return `${data}. Row by row nothing can be said: the notes say why.`;
  }
  const judged = rows.common - (rows.relabelled ?? 0);
  const isAll = rows.common === rows.a && rows.common === rows.b;
  return `${data}, and ${isAll ? 'judged on the same' : 'are compared on the'} ${count(judged)} rows${
    isAll ? '' : ` that both were judged on (${count(rows.a)} in ${a.name}, ${count(rows.b)} in ${b.name})`
  }.`;
}

function Flips({ found }: { found: IJudged }): JSX.Element {
  const { flips, a, b } = found;
  if (!flips) {
    return <p>Not known: the notes say why, and how to come to know it.</p>;
  }
  return (
    <>
      <p>
        {`${count(flips.count)} of ${count(flips.n)} judged rows: ${count(flips.better)} better, ${count(flips.worse)} worse`}
        {flips.neither ? `, ${count(flips.neither)} neither` : ''}.
      </p>
      {flips.items.length > 0 && (
        <details>
          <summary>{flips.count > SHOWN ? `The first ${SHOWN} of them` : 'Which'}</summary>
          <Table
            caption="Judged rows whose answer changed"
            head={['Row', `A: ${a.name}`, `B: ${b.name}`, 'Truth', 'Change']}
            rows={flips.items.slice(0, SHOWN).map(o => [String(o.id), shown(o.old), shown(o.new), shown(o.true), <Mark word={o.change === 'neither' ? null : o.change} />])}
          />
        </details>
      )}
    </>
  );
}

/** What `tlnb compare` says: is B better, on which rows does it say something else, is it fairer, what does it cost. */
export function Judged({ found, hasRecipe }: { found: IJudged; hasRecipe: boolean }): JSX.Element {
  const { a, b } = found;
  const sides = [`A: ${a.name}`, `B: ${b.name}`];
  return (
    <>
      <p className="tlnb-Lead">
        <Mark word={found.verdict} /> {found.words}.
      </p>
      <p>{rowsOf(found)}</p>
      <Table
        caption="Scores with 95 % intervals"
        head={['Metric', ...sides, 'Gain of B (positive: better)', '']}
        rows={found.scores.map(o => [
          found.names[o.metric] ?? o.metric,
          <Value value={o.a} interval={o.a_interval} />,
          <Value value={o.b} interval={o.b_interval} />,
          <Gain gain={o.gain} interval={o.interval} />,
          <Mark word={o.verdict} />
        ])}
      />
      <h2>Answers that changed</h2>
      <Flips found={found} />
      <h2>Gaps between groups</h2>
      {found.bias.length ? (
        <Table
          caption="Gaps between groups"
          head={['Gap', ...sides, 'Change']}
          rows={found.bias.map(o => [
            `${o.metric.replace(/_/g, ' ')} by ${o.attribute}${o.class ? ` (${o.class})` : ''}`,
            <Value value={o.a} interval={o.a_interval} />,
            <Value value={o.b} interval={o.b_interval} />,
            <Mark word={o.change} />
          ])}
        />
      ) : (
        <p>Neither side has a bias check.</p>
      )}
      <h2>Size</h2>
      {found.size.length ? (
        <Table
          caption="Size"
          head={['', ...sides]}
          rows={found.size.map(o => [SIZES[o.what] ?? o.what, ...[o.a, o.b].map(x => (x === null ? '–' : Number.isInteger(x) ? count(x) : number(x)))])}
        />
      ) : (
        <p>Not known.</p>
      )}
      {!hasRecipe && (
        <>
          <h2>What the recipes say differently</h2>
          {found.recipe.length ? (
            <Table caption="Differences of the recipes" head={['Setting', ...sides]} rows={found.recipe.map(o => [<code>{o.key}</code>, shown(o.a), shown(o.b)])} />
          ) : (
            <p>Nothing: both recipes mean the same.</p>
          )}
        </>
      )}
      {found.environment.length > 0 && (
        <>
          <h2>Environment</h2>
          <Table caption="Differences of the environment" head={['', ...sides]} rows={found.environment.map(o => [o.key, shown(o.a), shown(o.b)])} />
        </>
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
    </>
  );
}
