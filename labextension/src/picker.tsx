import { PathExt } from '@jupyterlab/coreutils';
import { Contents } from '@jupyterlab/services';
import { fileIcon, folderIcon } from '@jupyterlab/ui-components';
import * as React from 'react';
import { lineOf } from './api';

export interface IPickerProps {
  contents: Contents.IManager;
  /** Folder to begin in. */
  start: string;
  /** May a folder be chosen? */
  folders: boolean;
  onPick: (path: string) => void;
  onClose: () => void;
}

interface IEntry {
  name: string;
  path: string;
  isFolder: boolean;
}

const order = new Intl.Collator(undefined, { numeric: true });

/** A small file browser inside a dialog: JupyterLab shows no second dialog over the first. */
export function Picker({ contents, start, folders, onPick, onClose }: IPickerProps): JSX.Element {
  const [folder, setFolder] = React.useState(start);
  const [entries, setEntries] = React.useState<IEntry[] | null>(null);
  const [problem, setProblem] = React.useState('');
  const list = React.useRef<HTMLUListElement>(null);

  React.useEffect(() => {
    let isCurrent = true;
    setProblem('');
    contents
      .get(folder, { content: true, type: 'directory' })
      .then(model => {
        if (isCurrent) {
          const found = (model.content as Contents.IModel[])
            .map(o => ({ name: o.name, path: contents.localPath(o.path), isFolder: o.type === 'directory' }))
            .filter(o => !o.name.endsWith('.ipynb') && o.name !== 'tlnb-runs');
          found.sort((a, b) => Number(b.isFolder) - Number(a.isFolder) || order.compare(a.name, b.name));
          setEntries(found);
        }
      })
      .catch((reason: unknown) => isCurrent && (setEntries([]), setProblem(lineOf(reason))));
    return () => {
      isCurrent = false;
    };
  }, [folder]);

  React.useEffect(() => list.current?.querySelector('button')?.focus(), [entries]);

  const move = (event: React.KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const buttons = [...(list.current?.querySelectorAll('button') ?? [])];
    const at = buttons.findIndex(o => o === document.activeElement);
    if (step && at >= 0) {
      event.preventDefault();
      buttons[(at + step + buttons.length) % buttons.length].focus();
    }
  };

  return (
    <div className="tlnb-Picker" role="group" aria-label="Files">
      <div className="tlnb-Picker-head">
        <span className="tlnb-Picker-folder">/{folder}</span>
        {folders && (
          <button type="button" className="jp-Button tlnb-Small" onClick={() => onPick(folder)}>
            Use this folder
          </button>
        )}
        <button type="button" className="jp-Button tlnb-Small" onClick={onClose}>
          Close
        </button>
      </div>
      {problem && (
        <p className="tlnb-Error" role="alert">
          {problem}
        </p>
      )}
      <ul ref={list} onKeyDown={move}>
        {folder && (
          <li>
            <button type="button" onClick={() => setFolder(PathExt.dirname(folder))}>
              <folderIcon.react tag="span" />
              <span>.. (up)</span>
            </button>
          </li>
        )}
        {entries?.map(o => (
          <li key={o.path}>
            <button type="button" onClick={() => (o.isFolder ? setFolder(o.path) : onPick(o.path))}>
              {o.isFolder ? <folderIcon.react tag="span" /> : <fileIcon.react tag="span" />}
              <span>{o.name}</span>
            </button>
          </li>
        ))}
      </ul>
      {entries?.length === 0 && !problem && <p className="tlnb-Empty">No files here.</p>}
    </div>
  );
}
