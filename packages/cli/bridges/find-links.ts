import type { HubContext } from '@causeway/bridges/core/hub-context.ts'
import type { Link } from '@causeway/bridges/core/links/registry.ts'

export interface WhichLinks {
  readonly network?: string | undefined
  readonly server?: string | undefined
  /** As people write it; case does not matter. */
  readonly channel?: string | undefined
}

/** The links that are meant, in the order they were asked for; without a word: all. */
export function findLinks(
  { links }: Pick<HubContext, 'links'>,
  { network, server, channel }: WhichLinks,
): Link[] {
  const wanted = channel?.toLowerCase()
  return links
    .all()
    .filter(({ portal }) => network === undefined || portal.network === network)
    .filter(({ portal }) => server === undefined || portal.server === server)
    .filter(({ portal }) => wanted === undefined || portal.name.toLowerCase() === wanted)
    .toSorted((a, b) => a.nid - b.nid)
}
