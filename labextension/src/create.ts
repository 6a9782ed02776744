import { JupyterFrontEnd } from '@jupyterlab/application';
import { showErrorMessage } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { JSONExt } from '@lumino/coreutils';
import { Widget } from '@lumino/widgets';
import { Api, ITemplate, lineOf, Values } from './api';
import { NewDialog } from './dialog';
import { Templates } from './templates';

const MODALITIES = ['tabular', 'vision', 'text'];

/** What the user has set otherwise than the default in JupyterLab, of what a template of this kind has: it is written into the recipe cell, where it can be seen. */
export function ownSettings(settings: ISettingRegistry.ISettings | null, template: ITemplate | undefined): Values {
  const own = Object.entries(settings?.user ?? {}).filter(([key, value]) => {
    const usual = settings?.default(key);
    if (value === undefined || (usual !== undefined && JSONExt.deepEqual(value, usual))) {
      return false; // the form stores every key, also those that nobody touched
    }
    const section = key.split('.')[0];
    return /^[a-z]+\.[a-z_]+$/.test(key) && (!MODALITIES.includes(section) || section === template?.modality);
  });
  return Object.fromEntries(own) as Values;
}

async function namesIn(app: JupyterFrontEnd, folder: string): Promise<Set<string>> {
  const model = await app.serviceManager.contents.get(folder, { content: true, type: 'directory' }).catch(() => null);
  return new Set(((model?.content ?? []) as { name: string }[]).map(o => o.name));
}

/** Asks what the notebook is to be about, has it made, and opens it. */
export async function createFromTemplate(
  app: JupyterFrontEnd,
  api: Api,
  templates: Templates,
  settings: ISettingRegistry.ISettings | null,
  options: { template?: string; folder: string }
): Promise<Widget | null> {
  let known: ITemplate[];
  try {
    known = await templates.list();
    if (!known.length) {
      throw new Error('No templates are installed: reinstall tlnb.');
    }
  } catch (reason) {
    await showErrorMessage('No templates', lineOf(reason));
    return null;
  }
  const taken = await namesIn(app, options.folder);
  const freeName = (template: string) => {
    let name = template;
    for (let n = 2; taken.has(`${name}.ipynb`); n++) {
      name = `${template}-${n}`;
    }
    return name;
  };
  const dialog = new NewDialog(
    {
      templates: known,
      template: options.template && templates.get(options.template) ? options.template : known[0].name,
      folder: options.folder,
      contents: app.serviceManager.contents,
      freeName
    },
    async ({ template, name, data, target }) => {
      const values: Values = { ...ownSettings(settings, templates.get(template)) };
      if (data.trim()) {
        values['data.path'] = data.trim();
      }
      if (target.trim()) {
        values['data.target'] = target.trim();
      }
      return (await api.create(template, options.folder, name.trim(), values)).path;
    }
  );
  await dialog.launch();
  if (!dialog.path) {
    return null;
  }
  const opened: unknown = await app.commands.execute('docmanager:open', { path: dialog.path, factory: 'Notebook' });
  return opened instanceof Widget ? opened : null;
}
