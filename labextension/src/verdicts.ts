import { ICellModel, ICodeCellModel, isCodeCellModel } from '@jupyterlab/cells';
import { VerdictState } from './api';

export const VERDICT_MIME = 'application/vnd.tlnb.verdict+json';
export const RUN_MIME = 'application/vnd.tlnb.run+json';

export const KINDS = ['data', 'transfer', 'explanation', 'bias'] as const;
export type Kind = (typeof KINDS)[number];

export interface IVerdict {
  kind: Kind;
  state: VerdictState;
  text: string;
  run: string | null;
}

/** What a state is called, and its sign: a badge says it by colour, sign and word alike. */
export const STATES: Record<VerdictState, { sign: string; word: string }> = {
  good: { sign: '✓', word: 'good' },
  bad: { sign: '✕', word: 'bad' },
  open: { sign: '?', word: 'undecided' },
  none: { sign: '–', word: 'not applicable' }
};

function isVerdict(o: unknown): o is IVerdict {
  if (!o || typeof o !== 'object') {
    return false;
  }
  const { kind, state, text, run } = o as Record<string, unknown>;
  return (
    KINDS.some(k => k === kind) &&
    typeof state === 'string' &&
    Object.keys(STATES).includes(state) &&
    typeof text === 'string' &&
    (run === null || run === undefined || typeof run === 'string')
  );
}

/** The verdicts in the outputs of one cell. */
export function verdictsOf(cell: ICellModel): IVerdict[] {
  if (!isCodeCellModel(cell)) {
    return [];
  }
  const found: IVerdict[] = [];
  for (let i = 0; i < cell.outputs.length; i++) {
    const o: unknown = cell.outputs.get(i).data[VERDICT_MIME];
    if (isVerdict(o)) {
      found.push({ kind: o.kind, state: o.state, text: o.text, run: o.run ?? null });
    }
  }
  return found;
}

/** The run folder that an output of `RUN_MIME` names, or ''. */
export function runOf(data: unknown): string {
  const run = data && typeof data === 'object' ? (data as { run?: unknown }).run : '';
  return typeof run === 'string' ? run : '';
}

/** The runs that the outputs of one cell name. */
export function runsOf(cell: ICodeCellModel): string[] {
  const found: string[] = [];
  for (let i = 0; i < cell.outputs.length; i++) {
    const { data } = cell.outputs.get(i);
    found.push(runOf(data[RUN_MIME]), runOf(data[VERDICT_MIME]));
  }
  return found.filter(o => o);
}
