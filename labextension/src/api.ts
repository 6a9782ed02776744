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
