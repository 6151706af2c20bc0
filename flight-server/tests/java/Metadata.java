import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.ResultSet;
import java.sql.Types;
import java.util.List;
import java.util.Set;

/** What tools ask about a database before they show anything of it. */
final class Metadata {
    private Metadata() {}

    /** Every getter without parameters answers. */
    static void getters(Checks checks, Connection db) throws Exception {
        DatabaseMetaData data = db.getMetaData();
        for (Method getter : DatabaseMetaData.class.getMethods()) {
            if (getter.getParameterCount() == 0 && getter.getDeclaringClass() == DatabaseMetaData.class) {
                checks.check("DatabaseMetaData." + getter.getName(), () -> call(data, getter));
            }
        }
        for (int type : List.of(ResultSet.TYPE_FORWARD_ONLY, ResultSet.TYPE_SCROLL_SENSITIVE)) {
            checks.check("DatabaseMetaData.supports* of the result set type " + type, () -> {
                data.supportsResultSetType(type);
                data.supportsResultSetConcurrency(type, ResultSet.CONCUR_READ_ONLY);
                data.supportsTransactionIsolationLevel(Connection.TRANSACTION_NONE);
                data.supportsConvert(Types.INTEGER, Types.VARCHAR);
            });
        }
    }

    private static void call(DatabaseMetaData data, Method getter) throws Exception {
        try {
            if (getter.invoke(data) instanceof ResultSet rows) {
                rows.close();
            }
        } catch (InvocationTargetException failure) {
            throw failure.getCause() instanceof Exception cause ? cause : failure;
        }
    }

    /** Catalogs, schemas, tables, columns and keys, in the order in which DBeaver asks. */
    static void tables(Checks checks, Connection db, String table) throws Exception {
        DatabaseMetaData data = db.getMetaData();
        checks.check("getCatalogs", () ->
            Checks.holds("sluice is one", Checks.column(data.getCatalogs(), "TABLE_CAT").contains("sluice")));
        checks.check("getSchemas", () ->
            Checks.holds("public is one", Checks.column(data.getSchemas(), "TABLE_SCHEM").contains("public")));
        checks.check("getTableTypes", () -> {
            List<String> types = Checks.column(data.getTableTypes(), "TABLE_TYPE");
            Checks.holds("TABLE and VIEW in " + types, types.containsAll(Set.of("TABLE", "VIEW")));
        });
        checks.check("getTables of any type", () ->
            Checks.holds("the table", Checks.column(data.getTables(null, null, "%", null), "TABLE_NAME").contains(table)));
        checks.check("getTables of one schema and type", () -> {
            ResultSet rows = data.getTables("sluice", "public", table, new String[] {"TABLE"});
            Checks.same(List.of("TABLE"), Checks.column(rows, "TABLE_TYPE"));
        });
        checks.check("getTables of no such name", () ->
            Checks.same(0, Checks.count(data.getTables(null, "public", "no_such_table", null))));
        checks.check("getColumns", () -> {
            try (ResultSet rows = data.getColumns(null, "public", table, "%")) {
                String[] names = {"id", "message", "at"};
                int[] types = {Types.BIGINT, Types.VARCHAR, Types.TIMESTAMP};
                for (int number = 0; number < names.length; number++) {
                    Checks.holds("column " + number, rows.next());
                    Checks.same(names[number], rows.getString("COLUMN_NAME"));
                    Checks.same(number + 1, rows.getInt("ORDINAL_POSITION"));
                    int type = rows.getInt("DATA_TYPE");
                    boolean zoned = types[number] == Types.TIMESTAMP && type == Types.TIMESTAMP_WITH_TIMEZONE;
                    Checks.holds(names[number] + " has type " + type, type == types[number] || zoned);
                    Checks.holds("a name of the type", !rows.getString("TYPE_NAME").isEmpty());
                }
            }
        });
        checks.check("getColumns of one name", () ->
            Checks.same(List.of("id"), Checks.column(data.getColumns(null, null, table, "id"), "COLUMN_NAME")));
        checks.check("getPrimaryKeys", () -> Checks.same(0, Checks.count(data.getPrimaryKeys(null, "public", table))));
        checks.check("getImportedKeys", () -> Checks.same(0, Checks.count(data.getImportedKeys(null, "public", table))));
        checks.check("getExportedKeys", () -> Checks.same(0, Checks.count(data.getExportedKeys(null, "public", table))));
        checks.check("getCrossReference", () ->
            Checks.same(0, Checks.count(data.getCrossReference(null, "public", table, null, "public", table))));
    }
}
