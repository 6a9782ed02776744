import * as React from 'react';
import { VerdictState } from './api';
import { STATES } from './verdicts';

/** A verdict by colour, sign and word. */
export function Badge({ state, text }: { state: VerdictState; text: string }): JSX.Element {
  return (
    <span className="tlnb-Badge" data-state={state}>
      <span aria-hidden="true" className="tlnb-Badge-sign">
        {STATES[state].sign}
      </span>
      <span>{text || STATES[state].word}</span>
    </span>
  );
}
