import * as React from 'react';
import { Value } from './api';

/** A value of a recipe as a person reads it. */
export function shown(value: Value | undefined): string {
  if (value === null || value === undefined || value === '') {
    return '–';
  }
  return Array.isArray(value) ? value.join(', ') || '–' : value === true ? 'yes' : value === false ? 'no' : String(value);
}

/** A figure. */
export const number = (x: number) => (Number.isInteger(x) ? String(x) : x.toPrecision(3));

/** A table that scrolls by itself where it is too wide. */
export function Table({ caption, head, rows }: { caption: string; head: string[]; rows: React.ReactNode[][] }): JSX.Element {
  return (
    <div className="tlnb-Scroll" role="region" aria-label={caption} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {head.map((o, i) =>
              o ? (
                <th key={i} scope="col">
                  {o}
                </th>
              ) : (
                <td key={i} />
              )
            )}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={i}>
              {row.map((o, j) =>
                j === 0 ? (
                  <th key={j} scope="row">
                    {o}
                  </th>
                ) : (
                  <td key={j}>{o}</td>
                )
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
