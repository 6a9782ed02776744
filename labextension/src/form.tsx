import { Dialog } from '@jupyterlab/apputils';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

export interface ITextFieldProps {
  id: string;
  label: string;
  help: React.ReactNode;
  error?: string;
  value: string;
  onChange: (value: string) => void;
  extra?: JSX.Element;
  /** Several lines? */
  isLong?: boolean;
  disabled?: boolean;
}

/** A field with its label, what it is for, and what is wrong with it. */
export function TextField({ id, label, help, error, value, onChange, extra, isLong, disabled }: ITextFieldProps): JSX.Element {
  const Tag = isLong ? 'textarea' : 'input';
  return (
    <div className="tlnb-Field">
      <label htmlFor={id}>{label}</label>
      <div className="tlnb-Field-row">
        <Tag
          id={id}
          className="jp-mod-styled"
          {...(isLong ? { rows: 2 } : { type: 'text' })}
          spellCheck={!!isLong}
          autoComplete="off"
          value={value}
          disabled={disabled}
          aria-invalid={!!error}
          aria-describedby={`${id}-help ${id}-error`}
          onChange={(event: React.ChangeEvent<HTMLInputElement | HTMLTextAreaElement>) => onChange(event.target.value)}
        />
        {extra}
      </div>
      <p className="tlnb-Help" id={`${id}-help`}>
        {help}
      </p>
      <p className="tlnb-Error" id={`${id}-error`} role="alert">
        {error ?? ''}
      </p>
    </div>
  );
}

/** A form whose file list, if it has one open, is closed by Escape before the dialog is. */
export abstract class FormBody extends ReactWidget {
  abstract closePicker(): boolean;
}

/** A dialog around a form: buttons in the form answer to Enter as buttons do, and Tab goes round. */
export class FormDialog<T, F extends FormBody> extends Dialog<T> {
  constructor(
    protected form: F,
    options: Partial<Omit<Dialog.IOptions<T>, 'body'>>
  ) {
    super({ ...options, body: form as unknown as Dialog.Body<T> });
    this.addClass('tlnb-NewDialog');
  }

  handleEvent(event: Event): void {
    if (event instanceof KeyboardEvent && event.type === 'keydown') {
      const active = document.activeElement;
      const isInForm = this.form.node.contains(active);
      if (event.key === 'Enter' && isInForm && !(active instanceof HTMLInputElement && active.type === 'text')) {
        return;
      }
      if (event.key === 'Escape' && this.form.closePicker()) {
        event.stopPropagation();
        event.preventDefault();
        return;
      }
      if (event.key.startsWith('Arrow') && isInForm) {
        return;
      }
      if (event.key === 'Tab' && !event.shiftKey && active === [...this.node.querySelectorAll('.jp-Dialog-footer button:enabled')].pop()) {
        event.stopPropagation();
        event.preventDefault();
        this.form.node.querySelector<HTMLElement>('input:enabled, summary, button:enabled, [tabindex]')?.focus();
        return;
      }
    }
    super.handleEvent(event);
  }
}
