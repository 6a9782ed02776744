import { ILauncher } from '@jupyterlab/launcher';
import { CommandIDs } from './commands';
import { Templates } from './templates';

/** A card for each template, once they are known: the start of JupyterLab does not wait for them. */
export async function addCards(launcher: ILauncher, templates: Templates): Promise<void> {
  const found = await templates.list();
  found.forEach(({ name }, rank) =>
    launcher.add({ command: CommandIDs.create, category: 'Transfer Learning', categoryRank: 10, rank, args: { template: name, isLauncher: true } })
  );
}
