export const LOAD_POD = 'load';

const RESTRICTED = 'restricted';

/** A namespace that takes restricted pods only, and in it a pod that does nothing, for the load program. */
export function namespaceManifest(namespace: string, image: string): string {
  const levels = ['enforce', 'warn', 'audit'].map((mode) => [
    `pod-security.kubernetes.io/${mode}`,
    RESTRICTED,
  ]);
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'List',
    items: [
      {
        ...{ apiVersion: 'v1', kind: 'Namespace' },
        metadata: { name: namespace, labels: Object.fromEntries(levels) as Record<string, string> },
      },
      {
        ...{ apiVersion: 'v1', kind: 'Pod' },
        metadata: { name: LOAD_POD, namespace },
        spec: restricted(image),
      },
    ],
  });
}

const restricted = (image: string) => ({
  automountServiceAccountToken: false,
  terminationGracePeriodSeconds: 0,
  securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
  containers: [
    {
      ...{ name: 'load', image, imagePullPolicy: 'IfNotPresent' },
      command: ['node', '--eval', 'setInterval(() => {}, 1e9)'],
      securityContext: {
        ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
        capabilities: { drop: ['ALL'] },
      },
      resources: { requests: { cpu: '50m', memory: '64Mi' } },
    },
  ],
});
