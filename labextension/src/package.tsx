import { Clipboard } from '@jupyterlab/apputils';
import * as React from 'react';
import { IPackage } from './api';

/** What became of a file: its word, and a sign beside it. */
const STATUS: Record<IPackage['files'][number]['status'], { sign: string; word: string }> = {
  new: { sign: '+', word: 'new' },
  changed: { sign: '~', word: 'changed' },
  unchanged: { sign: '=', word: 'unchanged' },
  kept: { sign: '✋', word: 'kept: changed by hand' },
  removed: { sign: '−', word: 'removed' }
};

const sizeOf = (bytes: number) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
const count = (n: number, one: string, many: string) => `${n.toLocaleString()} ${n === 1 ? one : many}`;

function List({ title, lines }: { title: string; lines: string[] }): JSX.Element | null {
  return lines.length ? (
    <>
      <h4>{title}</h4>
      <ul className="tlnb-Lines">
        {lines.map(o => (
          <li key={o}>{o}</li>
        ))}
      </ul>
    </>
  ) : null;
}

function Files({ made, isOpen }: { made: IPackage; isOpen: boolean }): JSX.Element {
  return (
    <details open={isOpen}>
      <summary>{count(made.files.length, 'file', 'files')}</summary>
      <table className="tlnb-Files">
        <thead>
          <tr>
            <th scope="col">File</th>
            <th scope="col">{made.dry_run ? 'Would be' : 'Is'}</th>
          </tr>
        </thead>
        <tbody>
          {made.files.map(({ path, status }) => (
            <tr key={path}>
              <th scope="row">{path}</th>
              <td>
                <span aria-hidden="true" className="tlnb-Files-sign">
                  {STATUS[status].sign}
                </span>
                {STATUS[status].word}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

function Install({ command }: { command: string }): JSX.Element {
  const [isCopied, setCopied] = React.useState(false);
  return (
    <>
      <h4 id="tlnb-export-install">Install it</h4>
      <div className="tlnb-Copy">
        <input className="jp-mod-styled" readOnly aria-labelledby="tlnb-export-install" value={command} onFocus={event => event.target.select()} />
        <button
          type="button"
          className="jp-Button"
          onClick={() => {
            Clipboard.copyToSystem(command);
            setCopied(true);
          }}
        >
          {isCopied ? 'Copied' : 'Copy'}
        </button>
      </div>
      <p className="tlnb-Live" role="status">
        {isCopied ? 'The command was copied.' : ''}
      </p>
    </>
  );
}

export interface IPackageProps {
  made: IPackage;
  onOpen: (path: string, how: 'card' | 'text' | 'folder') => void;
  onCompare: (a: string, b: string) => void;
}

/** What an export made, or would make. */
export function Package({ made, onOpen, onCompare }: IPackageProps): JSX.Element {
  const { parity, folder } = made;
  const title = React.useRef<HTMLHeadingElement>(null);
  React.useEffect(() => {
    title.current?.scrollIntoView({ block: 'nearest' });
    title.current?.focus();
  }, [made]);
  const before = made.wheels.filter(o => o !== made.wheel).pop();
  return (
    <section className="tlnb-Package" aria-labelledby="tlnb-export-made">
      <h3 id="tlnb-export-made" ref={title} tabIndex={-1}>
        {made.dry_run ? `Dry run: ${made.name} ${made.version} can be made` : `${made.name} ${made.version} is made`}
      </h3>
      <p>
        {made.dry_run ? 'Nothing was written. ' : ''}
        {`It answers as the notebook’s model does on all ${count(parity.n, 'judged row', 'judged rows')} (largest difference ${parity.max_difference.toPrecision(1)}). `}
        {`The wheel ${made.dry_run ? 'would have' : 'has'} ${sizeOf(made.size_bytes)}.`}
      </p>
      {!made.dry_run && <Install command={made.install} />}
      {!made.dry_run && (
        <div className="tlnb-Package-buttons">
          <button type="button" className="jp-Button" onClick={() => onOpen(`${folder}/README.md`, 'card')}>
            Open the model card
          </button>
          <button type="button" className="jp-Button" onClick={() => onOpen(`${folder}/CHANGELOG.md`, 'text')}>
            Open the changelog
          </button>
          <button type="button" className="jp-Button" onClick={() => onOpen(`${folder}/dist`, 'folder')}>
            Show the wheel
          </button>
          {before && (
            <button type="button" className="jp-Button" onClick={() => onCompare(before, made.wheel)}>
              Compare with {before.split('/').pop()?.split('-')[1]}
            </button>
          )}
        </div>
      )}
      <List title={made.dry_run ? 'Entry for the changelog' : 'Entered in the changelog'} lines={made.changes} />
      <List title="To know" lines={made.notes} />
      <Files made={made} isOpen={made.dry_run} />
    </section>
  );
}
