import * as React from 'react';

/** What the notebook is like now. */
export interface ISubject {
  /** Path from the server's root. */
  path: string;
  isDirty: boolean;
  /** Has its folder a run? */
  hasRun: boolean;
  isStopped: boolean;
  biasFailed: boolean;
}

/** What has to be done in the notebook before it can be exported. */
export function Notices({ subject }: { subject: ISubject }): JSX.Element {
  if (!subject.hasRun) {
    return (
      <p className="tlnb-Warning" role="note">
        <strong>There is no run yet.</strong> A package holds the model that the notebook has trained: run all of its cells first (Run ▸ Run All Cells).
      </p>
    );
  }
  return (
    <>
      {subject.isDirty && (
        <p className="tlnb-Help" role="note">
          The notebook has changes that are not saved: they are saved first, since a package is made of what lies on the disk.
        </p>
      )}
      {subject.isStopped && (
        <p className="tlnb-Warning" role="note">
          <strong>The last run was stopped</strong> before everything was trained. Run the cell that trains once more: it goes on from there. Then export.
        </p>
      )}
    </>
  );
}

export interface IChoicesProps {
  id: string;
  legend: string;
  error?: string;
  value: string;
  choices: { value: string; text: string; help: string }[];
  onChange: (value: string) => void;
}

/** One of a few, each with what it means. */
export function Choices({ id, legend, error, value, choices, onChange }: IChoicesProps): JSX.Element {
  return (
    <fieldset className="tlnb-Choices" aria-describedby={`${id}-error`}>
      <legend>{legend}</legend>
      {choices.map((o, i) => (
        <label key={o.value} className="tlnb-Choice">
          <input type="radio" id={i === 0 ? id : undefined} name={id} checked={value === o.value} onChange={() => onChange(o.value)} />
          <span>
            {o.text} <span className="tlnb-Quiet">– {o.help}</span>
          </span>
        </label>
      ))}
      <p className="tlnb-Error" role="alert" id={`${id}-error`}>
        {error ?? ''}
      </p>
    </fieldset>
  );
}

export interface ITicksProps {
  id: string;
  legend: string;
  error?: string;
  /** Those that are not ticked, comma between. */
  without: string;
  choices: { value: string; text: string; help: string }[];
  onChange: (without: string) => void;
}

/** Any of a few, each with what it means. */
export function Ticks({ id, legend, error, without, choices, onChange }: ITicksProps): JSX.Element {
  const out = without.split(',').filter(o => o);
  return (
    <fieldset className="tlnb-Choices" aria-describedby={`${id}-error`}>
      <legend>{legend}</legend>
      {choices.map((o, i) => (
        <label key={o.value} className="tlnb-Choice">
          <input
            type="checkbox"
            id={i === 0 ? id : undefined}
            checked={!out.includes(o.value)}
            onChange={event => onChange((event.target.checked ? out.filter(name => name !== o.value) : [...out, o.value]).join(','))}
          />
          <span>
            {o.text} <span className="tlnb-Quiet">– {o.help}</span>
          </span>
        </label>
      ))}
      <p className="tlnb-Error" role="alert" id={`${id}-error`}>
        {error ?? ''}
      </p>
    </fieldset>
  );
}

/** What the changelog would say of the next version: `since` is the last release, '' where there was none, null where that is not known. */
export function Changes({ since, lines }: { since: string | null; lines: string[] | null }): JSX.Element {
  return (
    <div className="tlnb-Field tlnb-Help" role="status">
      {since && (lines ? `Changed since ${since}:` : `Looking for what has changed since ${since}…`)}
      {since && lines && (
        <ul className="tlnb-Lines">
          {lines.map(o => (
            <li key={o}>{o}</li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** Sets the focus once what is wanted has been drawn: a new object each time. */
export function Focus({ node, on }: { node: HTMLElement; on: { selector: string } | null }): null {
  React.useEffect(() => {
    const found = on ? node.querySelector<HTMLElement>(on.selector) : null;
    found?.focus();
    found?.scrollIntoView({ block: 'nearest' });
  }, [on]);
  return null;
}
