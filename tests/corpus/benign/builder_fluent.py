class QueryBuilder:
    def __init__(self, table):
        self._table = table
        self._columns = ["*"]
        self._where = []
        self._order = None
        self._limit = None

    def select(self, *columns):
        self._columns = list(columns) or self._columns
        return self

    def where(self, **conditions):
        for name, value in conditions.items():
            column, _, op = name.partition("__")
            symbol = {"": "=", "gt": ">", "lt": "<", "ne": "<>"}[op]
            self._where.append(f"{column} {symbol} {value!r}")
        return self

    def order_by(self, column, desc=False):
        self._order = f"{column} {'DESC' if desc else 'ASC'}"
        return self

    def limit(self, n):
        self._limit = n
        return self

    def build(self):
        sql = f"SELECT {', '.join(self._columns)} FROM {self._table}"
        if self._where:
            sql += " WHERE " + " AND ".join(self._where)
        if self._order:
            sql += f" ORDER BY {self._order}"
        if self._limit is not None:
            sql += f" LIMIT {self._limit}"
        return sql + ";"


result = QueryBuilder("users").select("id", "name").where(age__gt=18, city="Rome").order_by("name", desc=True).limit(5).build()
