import { Notification } from '@jupyterlab/apputils';
import { Api, ApiError, lineOf } from './api';
import { VERSION } from './version';

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
      ? `The server part of tlnb is older (${version}) than the part in the browser (${VERSION}). In the environment that runs JupyterLab: pip install --upgrade "tlnb==${VERSION}", then restart JupyterLab.`
      : `The browser part of tlnb is older (${VERSION}) than the server part (${version}). Reload this page. If this message comes back, in the environment that runs JupyterLab: pip install --force-reinstall --no-deps "tlnb==${version}".`;
  } catch (reason) {
    return reason instanceof ApiError && reason.status === 404
      ? 'The server part of tlnb is missing. In the environment that runs JupyterLab: pip install tlnb, then jupyter server extension enable tlnb.server, and restart JupyterLab.'
      : `tlnb: ${lineOf(reason)}`;
  }
}

/** Says so, where browser and server do not fit together. */
export async function shakeHands(api: Api): Promise<void> {
  const problem = await problemOf(api);
  if (problem) {
    Notification.error(problem, { autoClose: false });
  }
}
