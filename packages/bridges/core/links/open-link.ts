import type { Step } from '@causeway/store/db/database.ts'
import { insertConsent } from '@causeway/store/tables/bridge-links.ts'
import { tellRoom } from '../hub-context.ts'
import type { HubContext } from '../hub-context.ts'
import { showBridgeState } from './bridge-state.ts'
import { sayInChannel } from './say-in-channel.ts'
import type { Link } from './registry.ts'

const SERVER_AWAY_PAUSE_MS = 5_000

/** What it takes from the channel side: who agreed, and how that is known. */
export interface ChannelConsent {
  readonly who: string
  readonly proof: string
}

function roomName(link: Link, name: unknown): string {
  return typeof name === 'string' && name !== '' ? `“${name}”` : link.roomId
}

async function describeRequest(hub: HubContext, link: Link): Promise<string> {
  const state = await hub.port.findState(link.roomId, 'm.room.name', '')
  return `the Matrix room ${roomName(link, state?.['name'])}, as ${link.requestedBy} asked`
}

/** Messages cross from now on; both sides are told, and the channel how to end it. */
export async function goLive(hub: HubContext, link: Link, consent: ChannelConsent): Promise<void> {
  const { nid, portal, roomId } = link
  const step: Step = insertConsent({
    ...{ linkNid: nid, ts: hub.clock.now(), side: 'remote', answer: 'agreed' },
    ...consent,
  })
  const live = await hub.links.advance(link, 'live', { ...link.options, liveTs: hub.clock.now() }, [step])
  if (live.state !== 'live') return
  hub.log.info('a room and a channel are linked', { roomId, channel: portal.name, server: portal.server })
  const isShown = await showBridgeState(hub, live, true)
  await sayInChannel(
    hub,
    live,
    `This channel is now connected with ${await describeRequest(hub, live)}. Channel operators end it at any time with !unbridge.`,
  )
  const more = isShown
    ? ''
    : ' (Give me the power to change the room’s settings, and clients that show bridges will show this one.)'
  await tellRoom(hub, roomId, `Connected with ${portal.name} on ${portal.server}.${more}`, `live-${nid}`)
  // Again, since what was told before the link was live led nowhere.
  await hub.networks.get(portal.network)?.open(portal, live.options)
}

async function abandon(hub: HubContext, link: Link, reason: string): Promise<void> {
  await hub.networks.get(link.portal.network)?.close(link.portal, '')
  await tellRoom(
    hub,
    link.roomId,
    `${link.portal.name} could not be linked: ${reason}.`,
    `abandon-${link.nid}`,
  )
  await hub.links.advance(link, 'gone')
}

/** Enters the channel of a proposed link and asks or tells its people. True = over; else milliseconds to wait. */
export async function openLink(hub: HubContext, link: Link): Promise<true | number> {
  if (link.state !== 'proposed') return true
  const network = hub.networks.get(link.portal.network)
  const server = network?.servers.get(link.portal.server)
  if (network === undefined || server === undefined) {
    await abandon(hub, link, 'its server is not set up here any more')
    return true
  }
  const opened = await network.open(link.portal, link.options)
  if (opened.kind === 'waiting') return SERVER_AWAY_PAUSE_MS
  if (opened.kind === 'refused') {
    await abandon(hub, link, opened.reason)
    return true
  }
  if (server.consent === 'notify') await goLive(hub, link, { who: '', proof: 'the channel was told' })
  else if (opened.isDeserted) await goLive(hub, link, { who: '', proof: 'nobody was in the channel' })
  else await askChannel(hub, link)
  return true
}

async function askChannel(hub: HubContext, link: Link): Promise<void> {
  const asking = await hub.links.advance(link, 'consenting')
  if (asking.state !== 'consenting') return
  const isAsked = await sayInChannel(
    hub,
    asking,
    `May this channel be connected with ${await describeRequest(hub, asking)}? Channel operators answer with !bridge accept or !bridge refuse.`,
  )
  const text = isAsked
    ? `I asked in ${link.portal.name}. As soon as a channel operator says “!bridge accept” there, you are connected.`
    : `I could not speak in ${link.portal.name}, but listen there: a channel operator has to say “!bridge accept”.`
  await tellRoom(hub, link.roomId, text, `asked-${link.nid}`)
}

/** The channel side said no. */
export async function refuseLink(hub: HubContext, link: Link, who: string): Promise<void> {
  const consent = { linkNid: link.nid, ts: hub.clock.now(), side: 'remote', who } as const
  const step = insertConsent({ ...consent, answer: 'refused', proof: 'said so in the channel' })
  await hub.links.advance(link, 'gone', link.options, [step])
  await hub.networks.get(link.portal.network)?.close(link.portal, 'refused')
  await tellRoom(hub, link.roomId, `${who} refused for ${link.portal.name}.`, `refused-${link.nid}`)
}
