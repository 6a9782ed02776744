import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStateDB } from '@jupyterlab/statedb';
import { Api } from './api';
import { Channel } from './channel';
import { addCommands, exportFor, IParts, reportFor } from './commands';
import { watchWidgets } from './fallback';
import { shakeHands } from './handshake';
import { addCards } from './launcher';
import { Memory } from './ran';
import { Runs } from './runs';
import { SidePanel } from './sidepanel/panel';
import { Checklists } from './steps';
import { Templates } from './templates';
import { addButtons } from './toolbar';

const ID = 'tlnb:plugin';

const plugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: 'Transfer learning: templates, a checklist, verdicts and runs beside the notebook.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ILauncher, ICommandPalette, ISettingRegistry, ILayoutRestorer, IDefaultFileBrowser, IStateDB],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    launcher: ILauncher | null,
    palette: ICommandPalette | null,
    registry: ISettingRegistry | null,
    restorer: ILayoutRestorer | null,
    browser: IDefaultFileBrowser | null,
    db: IStateDB | null
  ) => {
    const api = new Api(app.serviceManager.serverSettings);
    const templates = new Templates(api);
    const checklists = new Checklists(new Memory(app, db));
    const settings = async () => (registry ? registry.load(ID).catch(() => null) : null);
    const parts: IParts = { app, api, tracker, templates, checklists, browser, settings };
    addCommands(parts, palette);

    const panel = new SidePanel(app, tracker, checklists, templates, new Runs(app, api));
    app.shell.add(panel, 'left', { rank: 700 });
    restorer?.add(panel, panel.id);

    new Channel(tracker, api);
    watchWidgets(tracker, api);
    tracker.widgetAdded.connect((_, notebook) => 
      addButtons(
        notebook,
        checklists,
        o => void reportFor(parts, o),
        o => void exportFor(parts, o)
      )
    );

    // the start of JupyterLab waits for none of these
    void app.restored.then(() => {
      void shakeHands(api);
      if (launcher) {
        addCards(launcher, templates).catch(() => undefined); // the handshake says why there are none
      }
    });
  }
};

export default plugin;
