import { Type } from 'typebox'
import { invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { quarantineMedia, quarantineMediaOf, type Quarantined } from '../../media/quarantine.ts'
import { defineAdminCommand, type CommandActor } from '../command.ts'
import { readLocalUser } from '../local-user.ts'
import { mediaArgument, readMedia, uploaderOption } from '../media-place.ts'

export const command = defineAdminCommand({
  usage: '[media…]',
  summary: 'Take content out of use: nobody is given it, and nobody can upload it again; the bytes stay',
  input: Type.Object({ media: mediaArgument, of: uploaderOption }),
  run: async (hs, { media = [], of: uploader }, actor) => {
    const by = quarantinerOf(actor)
    if ((media.length === 0) === (uploader === undefined))
      throw invalidParam('Say either which media, or with --of whose')
    if (uploader !== undefined)
      return { quarantined: await quarantineMediaOf(hs, readLocalUser(hs, uploader), by) }
    const places = media.map((text) => readMedia(hs, text))
    const idsOf: Record<Quarantined, string[]> = { quarantined: [], protected: [], unknown: [] }
    for (const place of places) idsOf[await quarantineMedia(hs, place, by)].push(place.mediaId)
    const { quarantined, protected: spared, unknown } = idsOf
    if (unknown.length === places.length) throw notFound(`There is no such media here: ${unknown.join(', ')}`)
    return { quarantined: quarantined.length, protected: spared, not_found: unknown }
  },
})

/** As it is told of the content: whoever may open the admin socket has no name. */
function quarantinerOf({ name }: CommandActor): string {
  if (name.startsWith('@')) return name
  return name === 'socket' ? 'command line' : 'admin token'
}
