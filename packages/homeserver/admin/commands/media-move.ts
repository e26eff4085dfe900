import { Type } from 'typebox'
import { moveMedia } from '../../jobs/move-media.ts'
import { defineAdminCommand } from '../command.ts'
import { viewJob } from '../job-view.ts'

export const command = defineAdminCommand({
  usage: '',
  summary: 'Move all media from where it was (media.move_from) to where it is now (media.store)',
  input: Type.Object({}),
  run: async (hs) => viewJob(await moveMedia(hs)),
})
