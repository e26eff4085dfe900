import { linkRoom } from '../links/link-room.ts'
import type { LinkWish } from '../links/link-room.ts'
import type { RunCommand } from './reply.ts'

/** `link <server> <#channel> [relay|puppets] [lazy|eager]`. */
export const link: RunCommand = async (hub, { roomId, sender, network, words }) => {
  const [server, channel, ...more] = words
  if (server === undefined || channel === undefined) return `Like this: !${network} link <server> <#channel>`
  const options: Partial<Record<'mode' | 'membership', string>> = {}
  for (const word of more) {
    if (word === 'relay' || word === 'puppets') options.mode = word
    else if (word === 'lazy' || word === 'eager') options.membership = word
    else return `I do not know “${word}”: after the channel there may be relay or puppets, lazy or eager.`
  }
  const wish = { roomId, network, server, channel, by: sender, ...options } as LinkWish
  const answer = await linkRoom(hub, wish)
  if ('refusal' in answer) return `Not linked: ${answer.refusal}.`
  return `Entering ${answer.link.portal.name} on ${server} …`
}
