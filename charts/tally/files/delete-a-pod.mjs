// Deletes a random pod out of those that LABELS select, with GRACE_SECONDS when given.
import { readFileSync } from 'node:fs';

const own = '/var/run/secrets/kubernetes.io/serviceaccount';
const [token, namespace] = ['token', 'namespace'].map((name) =>
  readFileSync(`${own}/${name}`, 'utf8').trim(),
);
const { LABELS, GRACE_SECONDS, KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
const pods = `https://${host.includes(':') ? `[${host}]` : host}:${port}/api/v1/namespaces/${namespace}/pods`;

async function ask(method, address) {
  const answer = await fetch(address, { method, headers: { Authorization: `Bearer ${token}` } });
  if (!answer.ok) throw new Error(`${method} ${address}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

const { items } = await ask('GET', `${pods}?labelSelector=${encodeURIComponent(LABELS)}`);
const alive = items.filter(
  ({ metadata, status }) => status.phase === 'Running' && !metadata.deletionTimestamp,
);
const victim = alive[Math.floor(Math.random() * alive.length)]?.metadata.name;
if (victim === undefined) {
  console.log('there is no pod to delete');
} else {
  await ask('DELETE', `${pods}/${victim}${GRACE_SECONDS ? `?gracePeriodSeconds=${GRACE_SECONDS}` : ''}`);
  console.log(`deleted ${victim}, one of ${alive.length}`);
}
