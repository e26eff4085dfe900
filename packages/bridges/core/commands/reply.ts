import type { HubContext } from '../hub-context.ts'
import type { Link } from '../links/registry.ts'

/** A command as somebody wrote it in a room. */
export interface CommandRequest {
  readonly roomId: string
  readonly sender: string
  readonly eventId: string
  readonly network: string
  /** Behind the verb. */
  readonly words: readonly string[]
}

/** Does what was asked, and answers. */
export type RunCommand = (hub: HubContext, request: CommandRequest) => Promise<string>

/** Links of the room with channels of the network that a command may mean. */
export function linksMeant(
  hub: HubContext,
  { roomId, network }: CommandRequest,
  words: readonly string[],
): Link[] {
  return hub.links
    .inRoom(roomId)
    .filter(({ portal }) => portal.network === network)
    .filter(({ portal }) =>
      words.every((word) =>
        [portal.server, portal.name.toLowerCase(), portal.channel].includes(word.toLowerCase()),
      ),
    )
}
