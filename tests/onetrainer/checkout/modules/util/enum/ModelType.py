from modules.util.enum.kinds import ModelType as ModelType
