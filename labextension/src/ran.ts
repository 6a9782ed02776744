import { JupyterFrontEnd } from '@jupyterlab/application';
import { IStateDB } from '@jupyterlab/statedb';

const NAMESPACE = 'tlnb-ran';

/** What is known of the last time that a cell ran in a kernel. */
export interface IRan {
  /** Of the source as it ran. */
  hash: string;
  /** Execution count; Infinity while it runs. */
  order: number;
  failed: boolean;
  /** Cells that had run above this one, and were deleted since. */
  lost: string[];
}

/** By the id of the cell. */
export type Ran = Record<string, IRan>;

/** A short hash: it tells whether a source was changed, and keeps no secret. */
export function hashOf(source: string): string {
  let a = 0x9e3779b9;
  let b = 0x41c6ce57;
  for (let i = 0; i < source.length; i++) {
    const code = source.charCodeAt(i);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677) + 1;
  }
  return (a >>> 0).toString(36) + (b >>> 0).toString(36);
}

function isRan(o: unknown): o is IRan {
  if (!o || typeof o !== 'object') {
    return false;
  }
  const { hash, order, failed, lost } = o as Record<string, unknown>;
  return typeof hash === 'string' && typeof order === 'number' && typeof failed === 'boolean' && Array.isArray(lost);
}

/** Keeps, with JupyterLab's own state, what ran in each kernel: a notebook that is opened again is compared with it. */
export class Memory {
  constructor(
    private app: JupyterFrontEnd,
    private db: IStateDB | null
  ) {
    void app.restored.then(() => this.prune()).catch(() => undefined);
  }

  async load(kernel: string): Promise<Ran> {
    const found: unknown = await this.db?.fetch(`${NAMESPACE}:${kernel}`).catch(() => null);
    return Object.fromEntries(Object.entries(found ?? {}).filter((o): o is [string, IRan] => isRan(o[1])));
  }

  save(kernel: string, ran: Ran): void {
    const key = `${NAMESPACE}:${kernel}`;
    const cells = Object.entries(ran).map(([id, o]) => [id, { ...o }] as const);
    const done = cells.length ? this.db?.save(key, Object.fromEntries(cells)) : this.db?.remove(key);
    done?.catch(() => undefined); // then it is forgotten with the tab
  }

  /** Forgets the kernels that are gone. */
  private async prune(): Promise<void> {
    const { kernels } = this.app.serviceManager;
    await kernels.ready;
    const alive = new Set([...kernels.running()].map(o => `${NAMESPACE}:${o.id}`));
    const { ids } = (await this.db?.list(NAMESPACE)) ?? { ids: [] };
    await Promise.all(ids.filter(o => !alive.has(o)).map(o => this.db?.remove(o)));
  }
}
