import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

/** A value that the recipe cell may hold; null removes the argument. */
export type Value = string | number | boolean | (string | number | boolean)[] | null;
export type Values = Record<string, Value>;

export type VerdictState = 'good' | 'bad' | 'open' | 'none';

export interface IStatus {
  version: string;
  templates: number;
  problem: string | null;
}

export interface ITemplateStep {
  id: string;
  phase: string;
  title: string;
}

export interface ITemplate {
  name: string;
  title: string;
  modality: string;
  steps: ITemplateStep[];
  icon: string;
  example: Values;
}

export interface IRun {
  path: string;
  name: string;
  modality: string;
  created: string;
  state: 'running' | 'stopped' | 'done' | 'unfinished';
  verdict: { state: VerdictState; text: string } | null;
  headline: string;
  target: string;
  report: string | null;
  /** What is wrong with it, in a line; '' where nothing is. */
  note?: string;
}

/** What a run folder says of its training. */
export interface ITraining {
  running: boolean;
  text: string;
  fraction: number | null;
  stopping: boolean;
  run: string;
  html: string;
}

export interface IScore {
  value: number | null;
  interval: [number, number] | null;
}

export interface IComparison {
  a: IRun;
  b: IRun;
  recipe: { key: string; a: Value; b: Value }[];
  arms: { arm: string; metric: string; a: IScore | null; b: IScore | null }[];
  same_data: boolean;
  notes: string[];
}

/** What keeps an export from being made, and which field of its form says so ('': none). */
export interface IProblem {
  message: string;
  field: string;
}

/** What is known before an export. */
export interface ILook {
  projects: { name: string; folder: string; mine: boolean }[];
  licences: string[];
  bumps: string[];
  problem: IProblem | null;
  module: string;
  version: string;
  released: string;
  next: Record<string, string>;
  git: boolean;
  /** What the last version was asked to be; null: there is none. */
  chosen: Pick<IExportRequest, 'licence' | 'rows' | 'without'> | null;
  /** The export of this notebook that is at work. */
  running: string | null;
}

export interface IExportRequest {
  notebook: string;
  to: string;
  name: string;
  bump: string;
  licence: string;
  rows: string;
  /** Parts that do not go in, comma between. */
  without: string;
  reason: string;
  draft: boolean;
  dry_run: boolean;
}

/** A package that was made, or that would be. */
export interface IPackage {
  name: string;
  version: string;
  folder: string;
  wheel: string;
  wheels: string[];
  size_bytes: number;
  parity: { max_difference: number; label_agreement: number; n: number };
  files: { path: string; status: 'new' | 'changed' | 'unchanged' | 'kept' | 'removed' }[];
  changes: string[];
  notes: string[];
  dry_run: boolean;
  install: string;
}

export interface IJob {
  id: string;
  state: 'running' | 'cancelling' | 'done' | 'failed' | 'cancelled';
  text: string;
  result: IPackage | null;
  error: IProblem | null;
}

type Interval = [number, number] | null;

/** What `tlnb compare` says of two runs or packages. */
export interface IJudged {
  a: { name: string };
  b: { name: string };
  same_data: boolean;
  rows: { common: number | null; relabelled: number | null; a: number; b: number };
  verdict: string | null;
  words: string;
  names: Record<string, string>;
  scores: {
    metric: string;
    a: number | null;
    b: number | null;
    a_interval: Interval;
    b_interval: Interval;
    gain: number | null;
    interval: Interval;
    verdict: string | null;
    paired: boolean;
  }[];
  flips: {
    n: number;
    count: number;
    better: number;
    worse: number;
    neither: number;
    items: { id: string | number; old: Value; new: Value; true: Value; change: string }[];
  } | null;
  bias: {
    attribute: string;
    metric: string;
    class?: string;
    a: number | null;
    b: number | null;
    a_interval: Interval;
    b_interval: Interval;
    change: string | null;
  }[];
  size: { what: string; a: number | null; b: number | null }[];
  environment: { key: string; a: Value; b: Value }[];
  recipe: { key: string; a: Value; b: Value; a_origin: string | null; b_origin: string | null }[];
  notes: string[];
}

/** An answer of the server that is not a success; the message is one line for people. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string
  ) {
    super(message);
  }
}

/** One line that says what went wrong. */
export function lineOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}

function messageOf(body: unknown): string {
  const message = body && typeof body === 'object' ? (body as { message?: unknown }).message : null;
  return typeof message === 'string' ? message : '';
}

/** The routes of `tlnb.server`. Paths are relative to the server's root. */
export class Api {
  constructor(private settings: ServerConnection.ISettings) {}

  status = (): Promise<IStatus> => this.get('status');
  templates = (): Promise<ITemplate[]> => this.get('templates');
  runs = (folder: string): Promise<IRun[]> => this.get('runs', { folder });
  compare = (a: string, b: string): Promise<IComparison> => this.get('runs/compare', { a, b });
  deleteRun = (path: string): Promise<unknown> => this.post('runs/delete', { path });
  training = (run: string): Promise<ITraining> => this.get('training', { run });
  stop = (run: string): Promise<unknown> => this.post('stop', { run });
  edit = (source: string, changes: Values): Promise<{ source: string }> => this.post('edit', { source, changes });
  look = (notebook: string, name: string, to: string): Promise<ILook> => this.get('export', { notebook, name, to });
  news = (notebook: string, to: string): Promise<{ changes: string[] }> => this.get('export/news', { notebook, to });
  startExport = (request: IExportRequest): Promise<{ id: string }> => this.post('export/start', request);
  job = (id: string): Promise<IJob> => this.get('export/job', { id });
  cancelExport = (id: string): Promise<unknown> => this.post('export/cancel', { id });
  judged = (a: string, b: string): Promise<IJudged> => this.get('compare', { a, b });
  create = (template: string, folder: string, name: string, values: Values): Promise<{ path: string }> =>
    this.post('new', { template, folder, name, values });

  private get<T>(route: string, query: Record<string, string> = {}): Promise<T> {
    return this.request(route + URLExt.objectToQueryString(query), {});
  }

  private post<T>(route: string, body: object): Promise<T> {
    return this.request(route, { method: 'POST', body: JSON.stringify(body) });
  }

  private async request<T>(route: string, init: RequestInit): Promise<T> {
    const url = URLExt.join(this.settings.baseUrl, 'tlnb/api', route);
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(url, init, this.settings);
    } catch {
      throw new ApiError(0, 'The server cannot be reached.');
    }
    const body: unknown = await response.json().catch(() => null);
    if (!response.ok) {
      throw new ApiError(response.status, messageOf(body) || `The server answered ${response.status} ${response.statusText}.`);
    }
    return body as T;
  }
}
