import { docFromText } from '../../formatting/tree.ts'
import type { HubContext } from '../hub-context.ts'
import type { Link } from './registry.ts'

/** Lets the bot say something in a channel; false where it could not be said. Not repeated: it is news of the moment. */
export async function sayInChannel(
  hub: Pick<HubContext, 'networks'>,
  { portal, options }: Link,
  text: string,
): Promise<boolean> {
  const found = await hub.networks.get(portal.network)?.connect(portal, undefined, options)
  if (found?.kind !== 'ready') return false
  const message = { kind: 'notice', doc: docFromText(text) } as const
  for (const part of await found.connection.render(message, async () => undefined)) {
    const outcome = await found.connection.send(part)
    if (outcome.kind !== 'sent') return false
  }
  return true
}
