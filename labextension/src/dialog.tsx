import { Dialog } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { Contents } from '@jupyterlab/services';
import * as React from 'react';
import { ApiError, ITemplate, lineOf } from './api';
import { FormBody, FormDialog, TextField } from './form';
import { Picker } from './picker';
import { Preview } from './preview';

/** What the user filled in. */
export interface IAnswers {
  template: string;
  name: string;
  data: string;
  target: string;
}

type FieldName = 'name' | 'data' | 'target';
type Errors = Partial<Record<FieldName | 'form', string>>;

export interface IFormOptions {
  templates: ITemplate[];
  template: string;
  /** Folder that the notebook is made in. */
  folder: string;
  contents: Contents.IManager;
  /** A name for a notebook of the template that is still free in the folder. */
  freeName: (template: string) => string;
}

/** The form, which keeps what was filled in. */
class Form extends FormBody {
  constructor(private options: IFormOptions) {
    super();
    this.addClass('tlnb-NewForm');
    this.answers = { template: options.template, name: options.freeName(options.template), data: '', target: '' };
  }

  answers: IAnswers;

  get template(): ITemplate {
    const { templates } = this.options;
    return templates.find(o => o.name === this.answers.template) ?? templates[0];
  }

  /** What keeps the form from being sent. */
  check(): Errors {
    const { name, data, target } = this.answers;
    const errors: Errors = {};
    if (!name.trim()) {
      errors.name = 'Give the notebook a name.';
    } else if (/[/\\]/.test(name)) {
      errors.name = 'A name has no slashes: the notebook is made in the folder shown here.';
    }
    if (data.trim() && !target.trim() && this.template.modality === 'tabular') {
      errors.target = 'Your own data needs a target: the column to predict.';
    }
    return errors;
  }

  setErrors(errors: Errors): void {
    this.errors = errors;
    this.update();
    const first = (['name', 'data', 'target'] as const).find(o => errors[o]);
    if (first) {
      window.requestAnimationFrame(() => this.node.querySelector<HTMLElement>(`#tlnb-new-${first}`)?.focus());
    }
  }

  /** Closes the file list if it is open. */
  closePicker(): boolean {
    const was = this.isPicking;
    this.pick(false);
    return was;
  }

  protected render(): JSX.Element {
    const { templates, folder, contents } = this.options;
    const { template, errors } = this;
    const { data, target } = template.example;
    return (
      <>
        {templates.length > 1 ? (
          <fieldset>
            <legend>Template</legend>
            {templates.map(o => (
              <label key={o.name} className="tlnb-Choice">
                <input
                  type="radio"
                  name="tlnb-new-template"
                  checked={o === template}
                  onChange={() => this.choose(o.name)}
                />
                {o.title}
              </label>
            ))}
          </fieldset>
        ) : (
          <p className="tlnb-NewForm-title">{template.title}</p>
        )}
        <p className="tlnb-NewForm-modality">
          Kind of data: <strong>{MODALITIES[template.modality] ?? template.modality}</strong>
        </p>
        <details open>
          <summary>{template.steps.length} steps</summary>
          <Preview steps={template.steps} />
        </details>
        {this.field('name', 'Notebook', `Made in ${folder ? `the folder ${folder}` : 'the top folder'}. Nothing in it runs until you run it.`)}
        {this.field(
          'data',
          'Data',
          `A file${template.modality === 'tabular' ? '' : ' or folder'}, seen from the top of the file browser. Left empty: the example${
            typeof data === 'string' ? ` (${data})` : ''
          }.`,
          <button
            type="button"
            className="jp-Button tlnb-Browse"
            aria-expanded={this.isPicking}
            onClick={() => this.pick(!this.isPicking)}
          >
            Browse…
          </button>
        )}
        {this.isPicking && (
          <Picker
            contents={contents}
            start={this.answers.data ? PathExt.dirname(this.answers.data) : folder}
            folders={template.modality !== 'tabular'}
            onPick={path => {
              this.answers.data = path;
              delete this.errors.data;
              this.pick(false);
            }}
            onClose={() => this.pick(false)}
          />
        )}
        {this.field(
          'target',
          'Target',
          template.modality === 'tabular'
            ? `The column to predict. Left empty: the example’s${typeof target === 'string' ? ` (${target})` : ''}.`
            : 'What is predicted, if the data does not say it. Left empty: the example’s.'
        )}
        <p className="tlnb-Error" role="alert">
          {errors.form ?? ''}
        </p>
      </>
    );
  }

  private field(name: FieldName, label: string, help: string, extra?: JSX.Element): JSX.Element {
    return (
      <TextField
        id={`tlnb-new-${name}`}
        label={label}
        help={help}
        error={this.errors[name]}
        value={this.answers[name]}
        extra={extra}
        onChange={value => {
          this.answers[name] = value;
          this.errors = {};
          this.update();
        }}
      />
    );
  }

  private choose(template: string): void {
    const { freeName } = this.options;
    if (this.answers.name === freeName(this.answers.template)) {
      this.answers.name = freeName(template);
    }
    this.answers.template = template;
    this.update();
  }

  private pick(isPicking: boolean): void {
    if (this.isPicking && !isPicking) {
      window.requestAnimationFrame(() => this.node.querySelector<HTMLElement>('#tlnb-new-data')?.focus());
    }
    this.isPicking = isPicking;
    this.update();
  }

  private errors: Errors = {};
  private isPicking = false;
}

const MODALITIES: Record<string, string> = { tabular: 'a table', vision: 'pictures', text: 'texts' };

/** Which field an answer of the server speaks of. */
function fieldOf(reason: unknown): FieldName | 'form' {
  const line = lineOf(reason);
  if (reason instanceof ApiError && reason.status === 409) {
    return 'name';
  }
  return /\bdata\.path\b|\bdata\b.*\b(found|file|folder)\b/i.test(line) ? 'data' : /\btarget\b/i.test(line) ? 'target' : 'form';
}

/** "New from template": stays open, with the reason in place, until the server has made the notebook. */
export class NewDialog extends FormDialog<IAnswers, Form> {
  constructor(
    options: IFormOptions,
    private create: (answers: IAnswers) => Promise<string>
  ) {
    super(new Form(options), {
      title: 'New from template',
      buttons: [Dialog.cancelButton(), Dialog.okButton({ label: 'Create', ariaLabel: 'Create the notebook' })],
      focusNodeSelector: '#tlnb-new-name'
    });
  }

  /** Path of the notebook that was made. */
  path: string | null = null;

  resolve(index?: number): void {
    if (index === 0) {
      super.resolve(0);
    } else if (!this.isBusy) {
      void this.submit();
    }
  }

  private async submit(): Promise<void> {
    const errors = this.form.check();
    if (Object.keys(errors).length) {
      this.form.setErrors(errors);
      return;
    }
    this.isBusy = true;
    try {
      this.path = await this.create(this.form.answers);
      super.resolve(1);
    } catch (reason) {
      this.form.setErrors({ [fieldOf(reason)]: lineOf(reason) });
    } finally {
      this.isBusy = false;
    }
  }

  private isBusy = false;
}
