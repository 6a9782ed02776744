import { LabIcon } from '@jupyterlab/ui-components';
import { Api, ITemplate } from './api';
import { templateIcon, transferIcon } from './icons';

/** The templates of the server, asked for once. */
export class Templates {
  constructor(private api: Api) {}

  /** All of them; a request that failed is made again the next time. */
  list(): Promise<ITemplate[]> {
    if (!this.asked) {
      this.asked = this.api.templates().then(found => {
        this.known = found;
        found.forEach(o => this.icons.set(o.name, templateIcon(o.name, o.icon)));
        return found;
      });
      this.asked.catch(() => (this.asked = null));
    }
    return this.asked;
  }

  /** A template that has been read already. */
  get(name: string): ITemplate | undefined {
    return this.known.find(o => o.name === name);
  }

  icon(name: string): LabIcon {
    return this.icons.get(name) ?? transferIcon;
  }

  private asked: Promise<ITemplate[]> | null = null;
  private known: ITemplate[] = [];
  private icons = new Map<string, LabIcon>();
}
