import * as React from 'react';
import { IRun } from '../api';
import { Badge } from '../badge';
import { Runs } from '../runs';

const WORDS: Record<IRun['state'], string> = {
  running: 'running',
  stopped: 'stopped',
  done: '',
  unfinished: 'unfinished'
};

function when(run: IRun): string {
  const date = new Date(run.created);
  if (isNaN(date.getTime())) {
    return '';
  }
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday
    ? date.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' })
    : date.toLocaleDateString(undefined, { day: 'numeric', month: 'short', year: 'numeric' });
}

interface IRunProps {
  run: IRun;
  runs: Runs;
  label: string;
  onReport: (path: string) => void;
}

function Run({ run, runs, label, onReport }: IRunProps): JSX.Element {
  const { report } = run;
  const facts = [run.headline, WORDS[run.state], when(run)].filter(Boolean).join(' · ');
  return (
    <li className="tlnb-Run">
      <label className="tlnb-Run-name">
        <input
          type="checkbox"
          checked={runs.chosen.has(run.path)}
          aria-label={`Compare ${label}`}
          onChange={() => runs.choose(run.path)}
        />
        <span title={run.path}>{run.name}</span>
      </label>
      <div className="tlnb-Run-body">
        {run.verdict && <Badge state={run.verdict.state} text={run.verdict.text} />}
        <p>{facts}</p>
        {run.note && <p className="tlnb-Quiet">{run.note}</p>}
        <div className="tlnb-Run-buttons">
          {report ? (
            <button type="button" className="jp-Button tlnb-Small" aria-label={`Open the report of ${label}`} onClick={() => onReport(report)}>
              Report
            </button>
          ) : (
            <span className="tlnb-Quiet">no report</span>
          )}
          <button type="button" className="jp-Button tlnb-Small" aria-label={`Delete ${label}`} onClick={() => void runs.remove(run)}>
            Delete
          </button>
        </div>
      </div>
    </li>
  );
}

/** The runs of the notebook's folder. */
export function RunList({ runs, onReport }: { runs: Runs; onReport: (path: string) => void }): JSX.Element {
  const [all, setAll] = React.useState(false);
  const { list, problem, chosen } = runs;
  const some = all ? list : list?.slice(0, 8);
  return (
    <section aria-labelledby="tlnb-runs">
      <div className="tlnb-Head">
        <h3 id="tlnb-runs">Recent runs</h3>
        <button type="button" className="jp-Button tlnb-Small" onClick={() => void runs.refresh()}>
          Refresh
        </button>
      </div>
      {problem && (
        <p className="tlnb-Error" role="alert">
          {problem}
        </p>
      )}
      {list === null ? (
        <p className="tlnb-Empty">Looking…</p>
      ) : !list.length ? (
        !problem && <p className="tlnb-Empty">No runs in this folder yet. Run the cell “Adapt the source”: each run is kept and listed here.</p>
      ) : (
        <>
          {list.length > 1 && (
            <div className="tlnb-Compare">
              <button type="button" className="jp-Button tlnb-Small" disabled={chosen.size !== 2} onClick={() => void runs.compare()}>
                Compare
              </button>
              <span className="tlnb-Quiet" id="tlnb-chosen">
                {chosen.size === 2 ? 'the two chosen runs' : chosen.size ? 'choose one more' : 'choose two runs'}
              </span>
            </div>
          )}
          <ul className="tlnb-Runs">
            {some?.map(run => (
              <Run
                key={run.path}
                run={run}
                runs={runs}
                label={list.filter(o => o.name === run.name).length > 1 ? `${run.name}, ${when(run)}` : run.name}
                onReport={onReport}
              />
            ))}
          </ul>
          {list.length > 8 && (
            <button type="button" className="jp-Button tlnb-Small" onClick={() => setAll(!all)}>
              {all ? 'Show fewer' : `Show all ${list.length}`}
            </button>
          )}
        </>
      )}
    </section>
  );
}
