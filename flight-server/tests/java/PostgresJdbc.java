import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.List;

/**
 * PostgreSQL's JDBC driver against the PostgreSQL door of a server without credentials, which holds
 * the table {@code jdbc_postgres (id BIGINT, message VARCHAR, at TIMESTAMP)} with the rows 1 to 3:
 * {@code PostgresJdbc HOST:PORT}.
 */
public final class PostgresJdbc {
    private static final String TABLE = "jdbc_postgres";
    private static final Timestamp NOON = Timestamp.valueOf("2026-02-05 12:30:15");

    private final Checks checks = new Checks();
    private final String url;

    private PostgresJdbc(String address) {
        url = "jdbc:postgresql://" + address + "/sluice?user=anyone&sslmode=disable";
    }

    public static void main(String[] arguments) throws Exception {
        PostgresJdbc run = new PostgresJdbc(arguments[0]);
        try (Connection db = run.connect("")) {
            run.metadata(db);
            run.results(db);
            run.limits(db);
        }
        // Text and binary: the driver sends and asks for binary once a statement has been run so often.
        for (String mode : List.of("&prepareThreshold=0", "&prepareThreshold=-1", "&preferQueryMode=simple")) {
            try (Connection db = run.connect(mode)) {
                run.parameters(db, mode);
            }
        }
        run.checks.end();
    }

    private Connection connect(String options) throws Exception {
        return DriverManager.getConnection(url + options);
    }

    private void metadata(Connection db) throws Exception {
        var data = db.getMetaData();
        checks.check("the product's name and version", () -> {
            Checks.same("PostgreSQL", data.getDatabaseProductName());
            Checks.holds("a version", data.getDatabaseMajorVersion() >= 9);
        });
        checks.check("getCatalogs", () -> Checks.holds("sluice", Checks.column(data.getCatalogs(), "TABLE_CAT").contains("sluice")));
        checks.check("getSchemas", () -> Checks.holds("public", Checks.column(data.getSchemas(), "TABLE_SCHEM").contains("public")));
        checks.check("getTableTypes", () -> Checks.holds("TABLE", Checks.column(data.getTableTypes(), "TABLE_TYPE").contains("TABLE")));
        checks.check("getTables", () -> {
            ResultSet rows = data.getTables(null, "public", TABLE, new String[] {"TABLE", "VIEW"});
            Checks.same(List.of(TABLE), Checks.column(rows, "TABLE_NAME"));
        });
        checks.check("getTables of any type", () ->
            Checks.holds("the table", Checks.column(data.getTables(null, null, "%", null), "TABLE_NAME").contains(TABLE)));
        checks.check("getColumns", () -> {
            List<String> names = Checks.column(data.getColumns(null, "public", TABLE, "%"), "COLUMN_NAME");
            Checks.same(List.of("id", "message", "at"), names.subList(0, 3));
            List<String> types = Checks.column(data.getColumns(null, "public", TABLE, "%"), "TYPE_NAME");
            Checks.same("int8", types.get(0));
        });
        checks.check("getPrimaryKeys", () -> Checks.same(0, Checks.count(data.getPrimaryKeys(null, "public", TABLE))));
        checks.check("getImportedKeys", () -> Checks.same(0, Checks.count(data.getImportedKeys(null, "public", TABLE))));
        checks.check("getExportedKeys", () -> Checks.same(0, Checks.count(data.getExportedKeys(null, "public", TABLE))));
        checks.check("getIndexInfo", () -> Checks.same(0, Checks.count(data.getIndexInfo(null, "public", TABLE, false, true))));
        checks.check("getTypeInfo", () -> Checks.holds("types", Checks.count(data.getTypeInfo()) > 0));
        checks.check("getFunctions and getProcedures", () -> {
            data.getFunctions(null, null, "%").close();
            data.getProcedures(null, null, "%").close();
        });
    }

    private void results(Connection db) throws Exception {
        checks.check("SELECT 1", () -> Checks.same("1", rows(db, "SELECT 1").get(0).toString()));
        checks.check("SELECT * through getObject", () -> {
            try (Statement statement = db.createStatement(); ResultSet rows = statement.executeQuery("SELECT * FROM " + TABLE)) {
                int count = 0;
                while (rows.next()) {
                    for (int column = 1; column <= rows.getMetaData().getColumnCount(); column++) {
                        rows.getObject(column);
                    }
                    count++;
                }
                Checks.same(3, count);
            }
        });
        for (String sql : List.of("[1, 2, NULL]", "['a', NULL]", "named_struct('a', 1)", "arrow_cast('v', 'Utf8View')",
            "arrow_cast('d', 'Dictionary(Int32, Utf8)')", "arrow_cast(255, 'UInt8')", "INTERVAL '1 day'", "DATE '2026-02-05'",
            "TIME '12:30:15'", "now()", "CAST(1.25 AS DECIMAL(10, 2))", "arrow_cast('ab', 'Binary')", "true", "MAP {'k': 1}",
            "arrow_cast('18446744073709551615', 'UInt64')", "arrow_cast(3, 'Duration(Second)')")) {
            checks.check("getObject of " + sql, () -> {
                try (Statement statement = db.createStatement(); ResultSet rows = statement.executeQuery("SELECT " + sql)) {
                    rows.next();
                    Checks.holds("a value", rows.getObject(1) != null);
                    Checks.holds("a text", !rows.getString(1).isEmpty());
                }
            });
        }
        for (String sql : List.of("SELEC 1", "SELECT no_such_column FROM " + TABLE, "SELECT * FROM no_such_table")) {
            String named = sql.equals("SELEC 1") ? "SELEC" : sql.contains("column") ? "no_such_column" : "no_such_table";
            checks.check("the error of " + sql, () -> {
                String message = Checks.fails(() -> rows(db, sql));
                Checks.holds(named + " in " + message, message.contains(named));
                Checks.same("1", rows(db, "SELECT 1").get(0).toString());
            });
        }
    }

    private void limits(Connection db) {
        String million = "SELECT value, 'a line of a log, number ' || value AS line FROM generate_series(1, 1000000)";
        checks.check("more rows than memory holds, by a cursor", () -> {
            try (Connection own = connect("")) {
                own.setAutoCommit(false);
                try (Statement statement = own.createStatement()) {
                    statement.setFetchSize(1000);
                    Checks.same(1_000_000, Checks.count(statement.executeQuery(million)));
                }
                own.commit();
            }
        });
        checks.check("setMaxRows", () -> {
            try (Statement statement = db.createStatement()) {
                statement.setMaxRows(10);
                Checks.same(10, Checks.count(statement.executeQuery(million)));
            }
        });
        checks.check("setQueryTimeout", () -> {
            try (Statement statement = db.createStatement()) {
                statement.setQueryTimeout(1);
                Checks.fails(() -> Checks.count(statement.executeQuery("SELECT count(*) FROM generate_series(1, 1000000000000)")));
            }
            Checks.same("1", rows(db, "SELECT 1").get(0).toString());
        });
        checks.check("rollback", () -> {
            try (Connection own = connect("")) {
                own.setAutoCommit(false);
                Checks.fails(() -> rows(own, "SELECT * FROM no_such_table"));
                own.rollback();
                Checks.same("1", rows(own, "SELECT 1").get(0).toString());
                own.commit();
            }
        });
    }

    private interface Setter {
        void set(PreparedStatement statement) throws Exception;
    }

    private void parameters(Connection db, String mode) {
        parameter(db, mode, "setInt", "CAST(? AS INT)", s -> s.setInt(1, 7), "7");
        parameter(db, mode, "setLong", "CAST(? AS BIGINT)", s -> s.setLong(1, 7), "7");
        parameter(db, mode, "setDouble", "CAST(? AS DOUBLE)", s -> s.setDouble(1, 1.5), "1.5");
        parameter(db, mode, "setBoolean", "CAST(? AS BOOLEAN) = true", s -> s.setBoolean(1, true), "t");
        parameter(db, mode, "setString", "CAST(? AS VARCHAR)", s -> s.setString(1, "x"), "x");
        parameter(db, mode, "setBigDecimal", "CAST(? AS DECIMAL(10, 2))", s -> s.setBigDecimal(1, new BigDecimal("1.25")), "1.25");
        // In this mode the driver writes a zone behind the day, which a date does not take.
        if (!mode.contains("simple"))
            parameter(db, mode, "setDate", "CAST(? AS DATE)", s -> s.setDate(1, Date.valueOf("2026-02-05")), "2026-02-05");
        parameter(db, mode, "setTimestamp", "id FROM " + TABLE + " WHERE at = ?", s -> s.setTimestamp(1, NOON), "1");
        parameter(db, mode, "setNull", "CAST(? AS BIGINT)", s -> s.setNull(1, Types.BIGINT), null);
        parameter(db, mode, "setLong of a column", "message FROM " + TABLE + " WHERE id = ?", s -> s.setLong(1, 3), "three");
        parameter(db, mode, "setString of a column", "id FROM " + TABLE + " WHERE message = ?", s -> s.setString(1, "three"), "3");
        parameter(db, mode, "setInt of LIMIT", "count(*) FROM (SELECT 1 FROM " + TABLE + " LIMIT ?)", s -> s.setInt(1, 2), "2");
    }

    private void parameter(Connection db, String mode, String name, String sql, Setter setter, String wanted) {
        checks.check(name + " " + mode, () -> {
            try (PreparedStatement query = db.prepareStatement("SELECT " + sql)) {
                for (int times = 0; times < 3; times++) {
                    setter.set(query);
                    try (ResultSet rows = query.executeQuery()) {
                        Checks.holds("a row", rows.next());
                        Checks.same(wanted, rows.getString(1));
                    }
                }
            }
        });
    }

    private static List<Object> rows(Connection db, String sql) throws Exception {
        try (Statement statement = db.createStatement()) {
            return Checks.column(statement.executeQuery(sql), 1);
        }
    }
}
