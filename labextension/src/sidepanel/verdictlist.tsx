import * as React from 'react';
import { Badge } from '../badge';
import { IShownVerdict } from '../steps';
import { Kind, KINDS } from '../verdicts';

const NAMES: Record<Kind, string> = { data: 'Data', transfer: 'Transfer', explanation: 'Explanation', bias: 'Bias' };

/** What the notebook has found out so far. */
export function VerdictList({ verdicts }: { verdicts: Map<Kind, IShownVerdict> }): JSX.Element {
  const old = [...verdicts.values()].filter(o => !o.current).length;
  const isAllOld = old > 1 && old === verdicts.size;
  return (
    <section aria-labelledby="tlnb-verdicts">
      <h3 id="tlnb-verdicts">Verdicts</h3>
      <dl className="tlnb-Verdicts">
        {KINDS.map(kind => {
          const o = verdicts.get(kind);
          return (
            <React.Fragment key={kind}>
              <dt>{NAMES[kind]}</dt>
              <dd data-kind={kind} data-state={o?.state ?? 'none'}>
                {o ? <Badge state={o.state} text={o.text} /> : <span className="tlnb-Quiet">not yet</span>}
                {o && !o.current && !isAllOld && <span className="tlnb-Quiet">from an earlier state</span>}
              </dd>
            </React.Fragment>
          );
        })}
      </dl>
      {isAllOld && <p className="tlnb-Quiet tlnb-Old">All from an earlier state: run the steps again.</p>}
    </section>
  );
}
