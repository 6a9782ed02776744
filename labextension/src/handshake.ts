import { Notification, showErrorMessage } from '@jupyterlab/apputils';
import { Api, ApiError, lineOf } from './api';
import { VERSION } from './version';

/** Characters of a notification that JupyterLab shows. */
const SHOWN = 140;

/** Is version `a` older than `b`? Numbers count, text after them does not. */
function isOlder(a: string, b: string): boolean {
  const [x, y] = [a, b].map(o => o.split(/[.+-]/).map(n => parseInt(n, 10) || 0));
  const at = [0, 1, 2].find(i => (x[i] ?? 0) !== (y[i] ?? 0));
  return at !== undefined && (x[at] ?? 0) < (y[at] ?? 0);
}

/** What is wrong between this extension and its server, in words; null: nothing. */
export async function problemOf(api: Api): Promise<string | null> {
  try {
    const { version, problem } = await api.status();
    if (version === VERSION) {
      return problem ? `tlnb: ${problem}` : null;
    }
    return isOlder(version, VERSION)
      ? `tlnb’s server is ${version}, this page ${VERSION}. Update the server: pip install -U tlnb, then restart JupyterLab.`
      : `tlnb in this page is ${VERSION}, its server ${version}. Update the page: reload it; else pip install --force-reinstall tlnb.`;
  } catch (reason) {
    return reason instanceof ApiError && reason.status === 404
      ? 'tlnb’s server part is missing. Run: jupyter server extension enable tlnb.server, then restart JupyterLab.'
      : `tlnb: ${lineOf(reason)}`;
  }
}

/** Says so, where browser and server do not fit together. */
export async function shakeHands(api: Api): Promise<void> {
  const problem = await problemOf(api);
  if (problem) {
    const actions = problem.length > SHOWN ? [{ label: 'Details', callback: () => void showErrorMessage('tlnb', problem) }] : [];
    Notification.error(problem, { autoClose: false, actions });
  }
}
