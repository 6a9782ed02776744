import * as React from 'react';
import { byPhase } from '../preview';
import { IStep, StepState } from '../steps';

/** Sign and word of a step's state. */
export const STEP_STATES: Record<StepState, { sign: string; word: string }> = {
  none: { sign: '○', word: 'not run' },
  waiting: { sign: '…', word: 'waiting' },
  running: { sign: '▸', word: 'running' },
  done: { sign: '✓', word: 'done' },
  attention: { sign: '!', word: 'needs attention' },
  stale: { sign: '↻', word: 'out of date' }
};

/** The checklist: a click goes to the cell. */
export function StepList({ steps, onStep }: { steps: IStep[]; onStep: (cell: string) => void }): JSX.Element {
  const done = steps.filter(o => o.state === 'done' || (o.state === 'attention' && o.note !== 'failed')).length;
  return (
    <section aria-labelledby="tlnb-steps">
      <div className="tlnb-Head">
        <h3 id="tlnb-steps">Steps</h3>
        <span className="tlnb-Quiet">
          {done} of {steps.length}
        </span>
      </div>
      {byPhase(steps).map(([phase, own]) => (
        <React.Fragment key={phase}>
          <h4>{phase}</h4>
          <ul className="tlnb-Steps">
            {own.map(step => {
              const { sign, word } = STEP_STATES[step.state];
              const { cell } = step;
              return (
                <li key={step.id}>
                  <button
                    type="button"
                    className="tlnb-Step"
                    data-step={step.id}
                    data-state={step.state}
                    disabled={!cell}
                    onClick={() => cell && onStep(cell)}
                  >
                    <span className="tlnb-Step-sign" aria-hidden="true">
                      {sign}
                    </span>
                    <span className="tlnb-Step-title">{step.title}</span>
                    <span className="tlnb-Step-state">
                      {cell ? word : 'no cell'}
                      {step.note && `: ${step.note}`}
                    </span>
                  </button>
                </li>
              );
            })}
          </ul>
        </React.Fragment>
      ))}
    </section>
  );
}
