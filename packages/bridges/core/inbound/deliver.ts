import type { Step } from '@causeway/store/db/database.ts'
import type { HubContext } from '../hub-context.ts'
import type { Link } from '../links/registry.ts'
import type { RemoteEvent } from '../network.ts'
import { deliverMessage } from './message.ts'
import { deliverEdit } from './edit.ts'
import { deliverJoin, deliverLeave, deliverMembers, deliverRename } from './membership.ts'
import { deliverModeration } from './moderation.ts'
import { deliverReaction, deliverRedaction } from './reaction.ts'
import { deliverTopic } from './topic.ts'

/** Something that came from a network and is about to appear in the room. */
export interface Arrival<E extends RemoteEvent = RemoteEvent> {
  readonly link: Link
  readonly event: E
  /** Stays the same however often it is tried. */
  readonly txnId: string
  /** When we heard of it, milliseconds since 1970. */
  readonly heardTs: number
}

/** Brings it into the room. Safe to repeat. Returns steps to be committed with the note that it is over. */
export async function deliver(hub: HubContext, arrival: Arrival): Promise<readonly Step[]> {
  const { event } = arrival
  switch (event.type) {
    case 'message':
      return deliverMessage(hub, { ...arrival, event })
    case 'edit':
      return deliverEdit(hub, { ...arrival, event })
    case 'reaction':
      return deliverReaction(hub, { ...arrival, event })
    case 'redaction':
      return deliverRedaction(hub, { ...arrival, event })
    case 'join':
      return deliverJoin(hub, { ...arrival, event })
    case 'leave':
      return deliverLeave(hub, { ...arrival, event })
    case 'rename':
      return deliverRename(hub, { ...arrival, event })
    case 'kick':
    case 'ban':
    case 'unban':
      return deliverModeration(hub, { ...arrival, event })
    case 'topic':
      return deliverTopic(hub, { ...arrival, event })
    case 'members':
      return deliverMembers(hub, { ...arrival, event })
  }
}
