import { LabIcon } from '@jupyterlab/ui-components';
import pack from '../style/icons/export.svg';
import report from '../style/icons/report.svg';
import transfer from '../style/icons/transfer.svg';

export const transferIcon = new LabIcon({ name: 'tlnb:transfer', svgstr: transfer });
export const reportIcon = new LabIcon({ name: 'tlnb:report', svgstr: report });
export const exportIcon = new LabIcon({ name: 'tlnb:export', svgstr: pack });

/** The icon of a template: its drawing without anything that could run. */
export function templateIcon(name: string, svg: string): LabIcon {
  const root = new DOMParser().parseFromString(svg, 'image/svg+xml').documentElement;
  if (root.tagName !== 'svg') {
    return transferIcon;
  }
  for (const node of [root, ...root.querySelectorAll('*')]) {
    if (/^(script|foreignObject|style|a|image|use)$/i.test(node.tagName)) {
      node.remove();
    }
    for (const { name: attribute } of [...node.attributes]) {
      if (/^on|href$/i.test(attribute)) {
        node.removeAttribute(attribute);
      }
    }
  }
  return new LabIcon({ name: `tlnb:template-${name}`, svgstr: root.outerHTML });
}
