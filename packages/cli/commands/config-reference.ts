import { Type } from 'typebox'
import { defineCommand } from '../command.ts'
import { generateExample } from '../config/generate-example.ts'
import { generateReference } from '../config/generate-reference.ts'
import { configSections } from '../config/sections.ts'

export const command = defineCommand({
  usage: '',
  summary: 'Print every option, as Markdown or as an example file',
  input: Type.Object({
    example: Type.Optional(Type.Boolean({ description: 'A configuration file to start from' })),
  }),
  run: async (terminal, { example }) => {
    terminal.out(example === true ? generateExample(configSections) : generateReference(configSections))
    return 0
  },
})
