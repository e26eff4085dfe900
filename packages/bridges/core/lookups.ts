import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import { findGhost } from '@causeway/store/tables/bridge-ghosts.ts'
import type { HubContext } from './hub-context.ts'
import type { Link } from './links/registry.ts'
import type { Lookups, Network } from './network.ts'

/**
 * What a homeserver asks about the networks for its clients; the shape of its own `ThirdPartyQuestion`.
 * https://spec.matrix.org/v1.19/application-service-api/#third-party-networks
 */
export type Lookup =
  | { readonly about: 'protocol'; readonly protocol: string }
  | {
      readonly about: 'user' | 'location'
      readonly protocol: string
      readonly fields: Readonly<Record<string, string>>
    }
  | { readonly about: 'user'; readonly userId: string }
  | { readonly about: 'location'; readonly alias: string }

type Fields = Readonly<Record<string, string>>
type Hub = Pick<HubContext, 'db' | 'port' | 'networks' | 'ghostIds' | 'links'>

/** Where a room's state has to be read for each: so many linked rooms are looked at. */
const MAX_ROOMS = 50

/** Undefined: nothing is known. Of rooms only those are told that anybody may join, of people only those with a ghost. */
export async function answerLookup(hub: Hub, lookup: Lookup): Promise<JsonValue | undefined> {
  if ('userId' in lookup) return whoIs(hub, lookup.userId)
  if ('alias' in lookup) return whereLeads(hub, lookup.alias)
  const network = hub.networks.get(lookup.protocol)
  const { lookups } = network ?? {}
  if (network === undefined || lookups === undefined) return undefined
  if (lookup.about === 'protocol') return describe(network, lookups)
  return lookup.about === 'user'
    ? findPeople(hub, network, lookup.fields)
    : findRooms(hub, network, lookup.fields)
}

function describe(network: Network, { channelField, personField, fieldTypes }: Lookups): JsonObject {
  return {
    user_fields: ['network', personField],
    location_fields: ['network', channelField],
    // Networks have no pictures here.
    icon: '',
    field_types: fieldTypes,
    instances: [...network.servers.values()].map(({ name, displayName }) => ({
      network_id: name,
      desc: displayName,
      fields: { network: name },
    })),
  }
}

/** The servers that are meant: the one that is named, or all. */
function serversFor({ servers }: Network, { network }: Fields): string[] {
  return [...servers.keys()].filter((name) => network === undefined || name === network)
}

async function findPeople(hub: Hub, network: Network, fields: Fields): Promise<JsonValue | undefined> {
  const lookups = network.lookups!
  const { personField } = lookups
  const name = fields[personField]
  if (name === undefined || name === '') return undefined
  const found: JsonObject[] = []
  for (const server of serversFor(network, fields)) {
    const userId = hub.ghostIds.userIdOf(network.name, server, lookups.personId(server, name))
    const ghost = userId === undefined ? undefined : await findGhost(hub.db, userId)
    if (ghost === undefined) continue
    found.push({
      userid: ghost.userId,
      protocol: network.name,
      fields: { network: server, [personField]: ghost.displayName },
    })
  }
  return found
}

async function whoIs({ db, networks }: Hub, userId: string): Promise<JsonValue | undefined> {
  const ghost = await findGhost(db, userId)
  const lookups = ghost === undefined ? undefined : networks.get(ghost.network)?.lookups
  if (ghost === undefined || lookups === undefined) return undefined
  const { network: protocol, server, displayName } = ghost
  return [{ userid: userId, protocol, fields: { network: server, [lookups.personField]: displayName } }]
}

async function findRooms(hub: Hub, network: Network, fields: Fields): Promise<JsonValue | undefined> {
  const servers = serversFor(network, fields)
  const name = fields[network.lookups!.channelField]
  const wanted = (link: Link): boolean => {
    if (link.portal.network !== network.name || !servers.includes(link.portal.server)) return false
    if (name === undefined || name === '') return true
    const parsed = network.parseChannel(link.portal.server, name)
    return 'channel' in parsed && parsed.channel === link.portal.channel
  }
  return tellOpen(hub, hub.links.all().filter(wanted))
}

async function whereLeads(hub: Hub, alias: string): Promise<JsonValue | undefined> {
  if (hub.links.all().length === 0) return undefined
  const roomId = await hub.port.findRoomByAlias(alias)
  return roomId === undefined ? undefined : tellOpen(hub, hub.links.inRoom(roomId), alias)
}

/** @param alias by which the room is told; default: its own */
async function tellOpen(hub: Hub, links: readonly Link[], alias?: string): Promise<JsonObject[]> {
  const live = links.filter(({ state }) => state === 'live').slice(0, MAX_ROOMS)
  const told = await Promise.all(
    live.map(async ({ portal, roomId }): Promise<JsonObject[]> => {
      const name = await openAlias(hub, roomId)
      const lookups = hub.networks.get(portal.network)?.lookups
      if (name === undefined || lookups === undefined) return []
      const fields = { network: portal.server, [lookups.channelField]: portal.name }
      return [{ alias: alias ?? name, protocol: portal.network, fields }]
    }),
  )
  return told.flat()
}

/** The alias of a room that anybody may join: what is told of others is for those who are in them. */
async function openAlias({ port }: Hub, roomId: string): Promise<string | undefined> {
  const [rules, aliases] = await Promise.all([
    port.findState(roomId, 'm.room.join_rules', ''),
    port.findState(roomId, 'm.room.canonical_alias', ''),
  ])
  const alias = aliases?.['alias']
  return rules?.['join_rule'] === 'public' && typeof alias === 'string' && alias !== '' ? alias : undefined
}
