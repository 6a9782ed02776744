import * as React from 'react';
import { ITemplateStep } from './api';

/** Steps under their phases, in order. */
export function byPhase<T extends ITemplateStep>(steps: T[]): [string, T[]][] {
  const found = new Map<string, T[]>();
  steps.forEach(step => found.set(step.phase, [...(found.get(step.phase) ?? []), step]));
  return [...found];
}

/** What a template leads through. */
export function Preview({ steps }: { steps: ITemplateStep[] }): JSX.Element {
  return (
    <ol className="tlnb-Preview">
      {byPhase(steps).map(([phase, own]) => (
        <li key={phase}>
          <span className="tlnb-Preview-phase">{phase}</span>
          <ol>
            {own.map(step => (
              <li key={step.id}>{step.title}</li>
            ))}
          </ol>
        </li>
      ))}
    </ol>
  );
}
