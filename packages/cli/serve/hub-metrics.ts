import type { Registry } from 'prom-client'
import type { HubContext } from '@causeway/bridges/core/hub-context.ts'
import { registerMetric } from '@causeway/homeserver/ops/metrics.ts'
import type { MetricDeclaration, Sample } from '@causeway/homeserver/ops/metrics.ts'

/** Every metric of the bridges, declared once: the reference is generated from this list. */
export const HUB_METRICS = {
  links: {
    name: 'causeway_bridge_links',
    kind: 'gauge',
    help: 'Links of rooms with channels, by network, server and state',
  },
} as const satisfies Record<string, MetricDeclaration>

/** Links by where they lead and how they are: as many samples as there are servers, times states. */
function countLinks({ links }: Pick<HubContext, 'links'>): Sample[] {
  const groups = Map.groupBy(
    links.all(),
    ({ portal, state }) => `${portal.network} ${portal.server} ${state}`,
  )
  return [...groups.values()].map((group) => {
    const { portal, state } = group[0]!
    return { labels: { network: portal.network, server: portal.server, state }, value: group.length }
  })
}

export function registerHubMetrics(registry: Registry, hub: Pick<HubContext, 'links'>): void {
  registerMetric(registry, HUB_METRICS.links, () => countLinks(hub))
}
